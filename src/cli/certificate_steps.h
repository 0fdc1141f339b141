// Steps with certificates that several commands take, over the AWS API.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/api_client.h"

namespace gnomon::cli {

// Takes a certificate away: its device is out at once (INACTIVE), then its policies and things are
// detached, then it is deleted. Errors: as ApiClient::call(); what was done until then stays so.
Result<json::Value> delete_certificate(ApiClient& client, const std::string& arn);

// All items of a list that comes in pages: "ListThingPrincipals", its member "principals", and
// "nextToken" as the name of what goes on (another for the answer than for the question, with
// markers). Errors: as ApiClient::call().
struct PagedList {
  std::string_view operation, items, token, next;
};
Result<std::vector<json::Value>> list_all(ApiClient& client, const PagedList& list,
                                          json::Value input);

}  // namespace gnomon::cli
