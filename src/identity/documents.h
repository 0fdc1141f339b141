// Policy documents, read once.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "base/result.h"
#include "policy/document.h"

namespace gnomon::identity {

// Documents: what documents of IoT policies say, by their text: who has the same policy shares what
// was read. At most limits::documents_remembered_max; longer ones than
// limits::document_remembered_bytes_max are read each time. Threads: any.
class Documents {
 public:
  using Ptr = std::shared_ptr<const policy::Document>;
  // Errors: those of policy::parse().
  Result<Ptr> read(const std::string& text);

 private:
  using Map = std::unordered_map<std::string, Ptr>;
  Guarded<Map> read_;
};

}  // namespace gnomon::identity
