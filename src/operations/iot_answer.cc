#include "operations/iot_answer.h"

#include <boost/json.hpp>

namespace gnomon::operations {

Outcome answer_page(const registry::Reply<registry::Page<std::string>>& page, json::Value& output,
                    std::string_view items, const Paging& paging) {
  return answer_page(page, output, items, paging, text_value);
}

}  // namespace gnomon::operations
