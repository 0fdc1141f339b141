#include "cli/certificate_steps.h"

#include <boost/json.hpp>

namespace gnomon::cli {

Result<std::vector<json::Value>> list_all(ApiClient& client, const PagedList& list,
                                          json::Value input) {
  std::vector<json::Value> all;
  for (;;) {
    const auto page = client.iot(list.operation, input);
    if (!page) return page.error();
    const json::Value* const items = page->as_object().if_contains(list.items);
    if (items != nullptr && items->is_array())
      all.insert(all.end(), items->get_array().begin(), items->get_array().end());
    const std::string next = text_of(*page, list.next);
    if (next.empty()) return all;
    input.as_object()[list.token] = next;
  }
}

Result<json::Value> delete_certificate(ApiClient& client, const std::string& arn) {
  const std::string id = arn.substr(arn.rfind('/') + 1);
  if (auto out =
          client.iot("UpdateCertificate", {{"certificateId", id}, {"newStatus", "INACTIVE"}});
      !out)
    return out;
  const auto policies = list_all(
      client, {"ListAttachedPolicies", "policies", "marker", "nextMarker"}, {{"target", arn}});
  if (!policies) return policies.error();
  for (const json::Value& policy : *policies) {
    if (auto detached = client.iot(
            "DetachPolicy", {{"policyName", text_of(policy, "policyName")}, {"target", arn}});
        !detached)
      return detached;
  }
  const auto things = list_all(client, {"ListPrincipalThings", "things", "nextToken", "nextToken"},
                               {{"principal", arn}});
  if (!things) return things.error();
  for (const json::Value& thing : *things) {
    if (auto detached =
            client.iot("DetachThingPrincipal", {{"thingName", thing}, {"principal", arn}});
        !detached)
      return detached;
  }
  return client.iot("DeleteCertificate", {{"certificateId", id}});
}

}  // namespace gnomon::cli
