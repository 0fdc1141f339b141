// How handlers of the service iot answer with what the registry has said. Internal to the module.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "operations/fields.h"
#include "operations/handler.h"
#include "operations/iot_failure.h"
#include "operations/iot_input.h"
#include "registry/page.h"

namespace gnomon::operations {

// Of a change; `tell(value)` makes the output.
template <class T, class F>
Outcome answer_written(registry::Written<T> written, F&& tell) {
  if (!written) return to_error(written.error());
  tell(std::as_const(written->value));
  return Done{written->sequence, std::move(written->effects)};
}
inline Outcome answer_written(registry::Written<registry::Nothing> written) {
  return answer_written(std::move(written), [](registry::Nothing) {});
}

// Of what was only read.
template <class T, class F>
Outcome answer_read(const registry::Reply<T>& reply, F&& tell) {
  if (!reply) return to_error(reply.error());
  tell(*reply);
  return Done{};
}

// Of a page: `items` is the member that lists what `make(item)` makes of each.
template <class T, class F>
Outcome answer_page(const registry::Reply<registry::Page<T>>& page, json::Value& output,
                    std::string_view items, const Paging& paging, F&& make) {
  if (!page) return to_error(page.error());
  json::Value& list = begin_list(output, items);
  for (const T& item : page->items) append(list, make(item));
  set(output, paging.next, or_null(page->next_token));
  return Done{};
}

// Of a page of names.
Outcome answer_page(const registry::Reply<registry::Page<std::string>>& page, json::Value& output,
                    std::string_view items, const Paging& paging);

}  // namespace gnomon::operations
