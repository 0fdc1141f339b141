#include "iam/iam.h"

#include <utility>

namespace gnomon::iam {

namespace {

std::shared_ptr<const Caller> make_root(const std::string& account, const RootKey& key) {
  Caller root;
  root.account = account;
  root.arn = "arn:aws:iam::" + account + ":root";
  root.user_id = account;
  root.access_key_id = key.access_key_id;
  return std::make_shared<const Caller>(std::move(root));
}

}  // namespace

Iam::Iam(std::string account, RootKey root)
    : account_(std::move(account)),
      root_(std::move(root)),
      root_caller_(make_root(account_, root_)) {}

Result<Signatory, KeyRefusal> Iam::signatory(std::string_view access_key_id, std::string_view token,
                                             WallTime /*now*/) const {
  if (root_.access_key_id.empty() || access_key_id != root_.access_key_id)
    return KeyRefusal::unknown;
  if (!token.empty()) return KeyRefusal::token;
  return Signatory{root_.secret, root_caller_};
}

}  // namespace gnomon::iam
