#include "broker/home.h"

namespace gnomon::broker {

void Home::grant(Held& held, const ConnectionRef& to, std::vector<Addressed>& out) {
  held.holder = to;
  held.evicting = false;
  held.present = {};
  out.push_back({to.shard, Grant{to, ++generation_, false, nullptr}});
}

void Home::claim(const std::string& client_id, const ConnectionRef& connection,
                 std::vector<Addressed>& out) {
  auto [it, fresh] = held_.try_emplace(client_id);
  Held& held = it->second;
  if (fresh) return grant(held, connection, out);
  if (held.evicting) {
    out.push_back({held.claimant.shard, Deny{held.claimant, mqtt::Reason::server_busy}});
  } else {
    held.evicting = true;
    out.push_back({held.holder.shard, Evict{held.holder}});
  }
  held.claimant = connection;
}

void Home::release(const std::string& client_id, const ConnectionRef& connection,
                   std::vector<Addressed>& out) {
  const auto it = held_.find(client_id);
  if (it == held_.end()) return;
  Held& held = it->second;
  // What another holds by now is not touched.
  if (!(held.holder == connection)) return;
  if (held.evicting) return grant(held, held.claimant, out);
  held_.erase(it);
}

Home::Present* Home::present(const std::string& client_id) {
  const auto it = held_.find(client_id);
  return it == held_.end() ? nullptr : &it->second.present;
}

const ConnectionRef* Home::holder(const std::string& client_id) const {
  const auto it = held_.find(client_id);
  return it == held_.end() ? nullptr : &it->second.holder;
}

}  // namespace gnomon::broker
