// CBOR (RFC 8949) in place of JSON text, for devices that would rather not write texts: what JSON
// can say, and nothing else.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "json/json.h"

namespace gnomon::json {

// Reads one item, of definite or indefinite length, within the limits of parse(). Whole numbers
// that 64 bits hold stay exact, all others become the nearest double. The tag "self-described CBOR"
// is passed over. Errors: `exhausted` (too long); `invalid`, with the byte: not CBOR, it ends too
// early or too late, too deep, not UTF-8 or with U+0000, a name twice in a map; byte strings, other
// tags, names that are no texts, undefined, numbers that are none: what JSON has no word for.
Result<Value> from_cbor(ByteView bytes, const Limits& limits = {});

// All lengths definite, whole numbers in their shortest form, others as doubles.
[[nodiscard]] std::string to_cbor(const Value& value);

}  // namespace gnomon::json
