// Shadows in the fleet index: their values as fields, and the postings that a change makes. Pure.
//
// A value of desired lies in the field "shadow.desired.a.b" ("shadow.name.NAME.desired.a.b" of a
// named shadow), one of reported likewise; "shadow.hasDelta" tells whether they differ. An entry of
// an array that is a scalar is a value of the array's field; null and objects in arrays are none.
// Metadata and version have no postings.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "index/terms.h"
#include "shadow/document.h"
#include "shadow/topics.h"
#include "store/store.h"

namespace gnomon::shadow {

// Called for each value, until it returns true.
using VisitValue = std::function<bool(std::string_view field, const index::Value& value)>;

// All values of both sections, of metadata, of "version" and "hasDelta" that lie in the field
// `field`, which has no prefix here ("desired.a"); "": all that have postings.
void each_value(const Document& document, std::string_view field, const VisitValue& visit);

// Whether desired has something that reported has not so.
[[nodiscard]] bool has_delta(const Document& document);

// Appends what makes the postings of `before` those of `after`. Of one that does not exist there
// are none.
void index_change(const Address& address, const Document& before, const Document& after,
                  std::vector<store::Operation>& operations);

}  // namespace gnomon::shadow
