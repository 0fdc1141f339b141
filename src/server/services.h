// Services: who is behind the reserved topics that devices publish to.
#pragma once

#include <string_view>
#include <utility>

#include "broker/reserved_topics.h"
#include "server/claims.h"
#include "server/shadows.h"

namespace gnomon::server {

// Services: passes each topic on to who takes it. Owner: the server.
class Services final : public broker::ReservedTopics {
 public:
  explicit Services(Claims& claims) : claims_(claims) {}
  // Before the first request: shadows are on the loops of shards, which know their services.
  void set_shadows(Shadows& shadows) { shadows_ = &shadows; }

  [[nodiscard]] bool takes(std::string_view topic) const override {
    return Shadows::takes(topic) || Claims::takes(topic);
  }
  void publish(const broker::ReservedPublish& request, Later answer) override {
    claims_.publish(request, std::move(answer));
  }
  void request(const broker::ReservedPublish& request, Taken taken) override {
    shadows_->request(request, std::move(taken));
  }

 private:
  Claims& claims_;
  Shadows* shadows_ = nullptr;
};

}  // namespace gnomon::server
