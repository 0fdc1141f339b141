// Homes: the slots of one partition, and the durable side of their decisions.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/home.h"
#include "partition/committer.h"
#include "partition/slots.h"
#include "store/store.h"

namespace gnomon::broker {

// Homes: runs the claims of the slots mapped to one partition. What a turn writes goes to the
// store in one batch; a grant whose connection left a will waits until the will is durable.
// Owner: the partition's thread.
class Homes {
 public:
  explicit Homes(store::Store& store) : committer_(store) {}

  void handle(const Claim& claim);
  void handle(const Release& release);
  // End of turn: applies what was written; appends the mail that may leave now.
  void commit(std::vector<Addressed>& out);
  // The store reports what is durable.
  void durable(store::Sequence sequence, std::vector<Addressed>& out);

  [[nodiscard]] std::size_t size() const;
  // Key of a client id's connection record: table 1 | tenant 0 | slot | client id.
  static std::string record_key(const std::string& client_id);

 private:
  struct Outcome {
    Addressed addressed;
    std::string client_id;
  };
  Home& home_of(const std::string& client_id);
  void release(const std::string& client_id, const ConnectionRef& connection);
  void dispatch(const std::string& client_id);

  partition::Committer<Outcome> committer_;
  std::array<std::unique_ptr<Home>, partition::slots> homes_;
  // Wills of claims that wait for an eviction: written together with their grant.
  std::unordered_map<std::string, std::string> waiting_wills_;
  std::unordered_set<std::string> recorded_;  // client ids with a record in the store
  std::vector<Addressed> effects_, ready_now_;
  std::vector<Outcome> ready_, failed_;
};

}  // namespace gnomon::broker
