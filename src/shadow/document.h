// Document: a device shadow, and what requests make of it. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "shadow/fields.h"

namespace gnomon::shadow {

struct Limits {
  std::size_t request_bytes;  // of a request as it comes
  std::size_t state_bytes;    // of desired and reported as they are written; metadata is free
  int depth;                  // names and arrays on the way to a value, from its section on
};

// Rejection: why a request is not carried out. `code` is that of the document on `…/rejected` and
// the status of HTTP; the texts are AWS IoT's.
struct Rejection {
  int code = 0;
  std::string message;
  bool operator==(const Rejection&) const = default;
};
template <class T>
using Answer = Result<T, Rejection>;

// Token: "clientToken", by which a client knows the answer to its request.
using Token = std::optional<std::string>;

// Document: both sections, with the version that its last change has made. A value.
struct Document {
  std::uint64_t version = 0;  // 0: there has been none
  Seconds changed = 0;
  bool deleted = false;  // its version is remembered for a time
  Field desired, reported;

  [[nodiscard]] bool exists() const { return version > 0 && !deleted; }
  bool operator==(const Document&) const = default;
  static void fields(auto& document, auto& archive) {
    archive(document.version, document.changed, document.deleted, document.desired,
            document.reported);
  }
};

// Calls `visit` with the name of each section and with the section.
template <class F>
void each_section(const Document& document, F&& visit) {
  visit(std::string_view("desired"), document.desired);
  visit(std::string_view("reported"), document.reported);
}

// Update: {"state":{"desired":{…}|null,"reported":{…}|null}|null,"version":n,"clientToken":"…"},
// checked. Other names beside these are passed over.
struct Update {
  std::shared_ptr<const json::Value> document;  // what the others point into
  const json::Value* state = nullptr;
  const json::Value *desired = nullptr, *reported = nullptr;  // null: not named
  std::optional<std::uint64_t> version;                       // which it is for
};
// `token` is set whenever there is one, also if the rest is rejected.
// Rejections: 400 what is no such document, is too deep, or has null in an array; 413 longer than a
// request may be; 415 not UTF-8.
[[nodiscard]] Answer<Update> read_update(std::string_view text, const Limits& limits, Token& token);

// What a get may carry: nothing, or {"clientToken":"…"}. Rejections: 400, 413 and 415, as above.
[[nodiscard]] Answer<Token> read_get(std::string_view text, const Limits& limits);
// The same of a delete, of which anything is taken.
[[nodiscard]] Token token_of_delete(std::string_view text, const Limits& limits);

// Changed: a document, and what is told of how it came about, as JSON.
struct Changed {
  Document document;
  std::string accepted;
  std::string delta;          // empty: reported is as desired
  std::string documents;      // before and after
  std::string change, state;  // what was set, and the sections now, for the history
};
// Carries an update out. The version grows by one, whether it changes anything or not.
// Rejections: 409 it is for another version; 413 the state would be too large.
[[nodiscard]] Answer<Changed> update(Document document, const Update& update, const Token& token,
                                     Seconds now, const Limits& limits);

// Deletes it. The next version is one above that of the deletion, which has its own.
// Rejections: 404; `name` is that of the shadow, of the thing if it is the classic one.
[[nodiscard]] Answer<Changed> remove(Document document, const Token& token, Seconds now,
                                     std::string_view name);

// What answers a get. Rejections: 404.
[[nodiscard]] Answer<std::string> get(const Document& document, const Token& token, Seconds now,
                                      std::string_view name);

// The update that makes the state what it was: `earlier` is {"desired":{…},"reported":{…}}, or a
// part of it.
[[nodiscard]] Update restoring(const Document& document, const json::Value& earlier);

// What is told on `…/rejected`.
[[nodiscard]] std::string rejected(const Rejection& rejection, const Token& token);

// How long the version of a deleted shadow is remembered (AWS IoT: 48 hours).
constexpr Seconds remembered = 48UL * 3600;
// A deleted shadow whose version need not be remembered any more.
[[nodiscard]] bool forgotten(const Document& document, Seconds now);

}  // namespace gnomon::shadow
