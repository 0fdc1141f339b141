// Partition: the device shadows of one thread's slots.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "index/configuration.h"
#include "partition/committer.h"
#include "shadow/document.h"
#include "shadow/records.h"
#include "shadow/topics.h"
#include "store/store.h"

namespace gnomon::shadow {

// What came of a request.
struct Told {
  std::optional<Rejection> rejection;  // then the payload is that of `…/rejected`
  std::string payload;                 // what is told on `…/accepted`
};

// Request: what is asked of one shadow.
struct Request {
  Address address;
  Ask ask = Ask::get;
  std::string payload;   // restore: the state that it had, {"desired":…,"reported":…};
                         // forget: the key of the deletion
  std::uint8_t qos = 0;  // what is told is published with it
  Who who;
  // Told once, when what it tells of is durable; may be empty.
  std::function<void(Told)> then;
};

// Host: what a partition needs of the thread that it runs on.
class Host {
 public:
  virtual void publish(const std::string& topic, const std::string& payload, std::uint8_t qos) = 0;
  // Reads a key elsewhere; Partition::loaded() follows.
  virtual void read(const std::string& key) = 0;
  // Something waits for what has been applied.
  virtual void request_sync() = 0;
  // The store takes nothing any more: the process must end.
  virtual void broken(const Error& error) = 0;
  [[nodiscard]] virtual WallTime wall_now() const = 0;

 protected:
  ~Host() = default;
};

// Partition: carries out requests, each shadow's in their order. The writes of a turn go to the
// store in one batch; what is told of them leaves when that is durable, in the order of the
// requests. Documents that were used last are kept in memory.
// What is published: of an update accepted, delta and documents; of a deletion accepted; of a get,
// and of what is rejected, only if it came by MQTT.
// Owner: one thread.
class Partition {
 public:
  struct Setup {
    store::Store& store;
    Host& host;
    Limits limits;
    std::size_t cache_bytes;
  };
  explicit Partition(const Setup& setup);
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  // As many as it is given: who gives them bounds what is open.
  void handle(Request request);
  // What is indexed of the shadows from the next request on; at first nothing.
  void set_index(std::shared_ptr<const index::Configuration> what) { index_ = std::move(what); }
  // Tells of one that is not to be carried out.
  void reject(Request request, const Rejection& why);
  // What was read for it. The error is the store's.
  void loaded(const std::string& key, Result<std::optional<std::string>> value);
  // The end of a turn: applies what was written, and lets out what is durable.
  void turn();
  // Whether turn() has something to do.
  [[nodiscard]] bool is_due() const;

  struct Counts {
    std::uint64_t gets = 0, updates = 0, deletions = 0, rejected = 0, conflicts = 0, loads = 0;
    std::uint64_t throttled = 0;  // rejected with 429
    std::uint64_t forgotten = 0;
    std::uint64_t cached = 0, cached_bytes = 0, open = 0;  // now
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct Publication {
    std::string topic, payload;
    std::uint8_t qos;
  };
  // What leaves when a request has been carried out.
  struct Outcome {
    std::string key;  // of the shadow; empty: it was not looked at
    std::vector<Publication> publications;
    std::function<void(Told)> then;
    Told told;
  };
  // A shadow that was used not long ago.
  struct Shadow {
    bool known = false;            // the record has been read
    std::string record;            // as stored; empty: there is none
    std::vector<Request> waiting;  // until it has been read
    int open = 0;                  // requests not answered
    bool written = false;          // in this turn
    store::Sequence sequence = 0;  // of its last write
    std::list<std::string>::iterator used;
  };

  Shadow& take(const std::string& key);
  void carry_out(const std::string& key, Shadow& shadow, Request& request);
  Answer<std::string> get(Request& request, const Document& document, Token& token);
  Answer<Changed> change(const Request& request, Document document, Token& token);
  void write(const std::string& key, Shadow& shadow, const Request& request,
             const Changed& changed);
  void index(const std::string& key, Request& request, const Document& document);
  [[nodiscard]] bool indexes(const Request& request) const {
    return index_ && index_->indexes_shadow(request.address.name);
  }
  void forget(const std::string& key, Shadow& shadow, Request& request, const Document& document);
  void note_written(const std::string& key, Shadow& shadow);
  [[nodiscard]] Outcome told(const std::string& key, Request& request, std::string accepted) const;
  [[nodiscard]] Outcome told(const std::string& key, Request& request, const Rejection& rejection,
                             const Token& token);
  // In the order of the shadow's requests.
  void finish(const Shadow& shadow, Outcome outcome);
  void leave(Outcome& outcome);
  void shrink();
  [[nodiscard]] Seconds seconds() const;

  const Setup setup_;
  std::shared_ptr<const index::Configuration> index_;  // null: nothing
  std::unordered_map<std::string, Shadow> shadows_;
  std::list<std::string> used_;  // keys; those used last in front
  std::size_t bytes_ = 0;        // of records that are held
  std::vector<std::string> written_;
  partition::Committer<Outcome> committer_;
  std::vector<Outcome> ready_, failed_, at_once_;
  store::Sequence seen_durable_ = 0;
  Counts counts_;
};

}  // namespace gnomon::shadow
