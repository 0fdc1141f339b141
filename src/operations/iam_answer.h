// What the handlers of the services iam and sts have in common: inputs, answers, errors. Internal
// to the module.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "iam/entities.h"
#include "iam/page.h"
#include "operations/fields.h"
#include "operations/handler.h"

namespace gnomon::operations {

// What iam refuses, as an error of the service that is called. An operation need not list it. A
// store that refuses is ServiceUnavailable (503), as everywhere, and not IAM's ServiceFailure.
[[nodiscard]] api::ApiError to_error(const Context& context, const iam::Failure& failure);

template <class T, class F>
Outcome answer_written(const Context& context, iam::Written<T> written, F&& tell) {
  if (!written) return to_error(context, written.error());
  tell(std::as_const(written->value));
  return Done{.sequence = written->sequence, .callers = true};
}
template <class T>
Outcome answer_written(const Context& context, iam::Written<T> written) {
  return answer_written(context, std::move(written), [](const T&) {});
}

template <class T, class F>
Outcome answer_read(const Context& context, const iam::Reply<T>& reply, F&& tell) {
  if (!reply) return to_error(context, reply.error());
  tell(*reply);
  return Done{};
}

// Where the next page begins, if there is one.
void set_marker(json::Value& output, std::string_view marker);

// `items` is the member that lists what `make(item)` makes of each.
template <class T, class F>
Outcome answer_page(const Context& context, const iam::Reply<iam::Page<T>>& page,
                    json::Value& output, std::string_view items, F&& make) {
  if (!page) return to_error(context, page.error());
  json::Value& list = begin_list(output, items);
  for (const T& item : page->items) append(list, make(item));
  set_marker(output, page->marker);
  return Done{};
}
[[nodiscard]] iam::PageRequest iam_page_of(const json::Value& input);

// Of the member "Tags". Errors: InvalidInput (a key twice).
Result<iam::Tags, api::ApiError> iam_tags_of(const Context& context, const json::Value& input);
[[nodiscard]] json::Value tag_list(const iam::Tags& tags);

// A page of tags.
Outcome answer_tags(const Context& context, const iam::Tags& tags, const json::Value& input,
                    json::Value& output);

[[nodiscard]] std::string_view name_member(iam::EntityKind kind);  // "UserName"
[[nodiscard]] iam::Owner owner_of(iam::EntityKind kind, const json::Value& input);
// Of UserName, else the user that calls. Errors: ValidationError (neither).
Result<std::string, api::ApiError> user_or_caller(const Context& context, const json::Value& input);

// A user or role as the model has it. Lists show neither tags nor boundaries.
enum class Detail : std::uint8_t { listed, whole };
[[nodiscard]] json::Value entity_value(const Context& context, iam::EntityKind kind,
                                       const iam::Entity& entity, Detail detail);
// A policy document as IAM tells it: percent-encoded (RFC 3986).
[[nodiscard]] json::Value document_value(std::string_view document);

}  // namespace gnomon::operations
