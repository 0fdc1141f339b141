// Writes the tables of one service as C++: constant data, see api/tables.h.
#pragma once

#include <string>

#include "api/generate/model.h"
#include "api/generate/rows.h"

namespace gnomon::api::generate {

// "iot_data": the name of the variable that holds the service "iot-data".
[[nodiscard]] std::string variable_of(const std::string& service);

// The text of the file. `rows` have been checked. Shapes that no row reaches are left out; their
// operations are known by name and route. Throws Failure: a pattern or route that cannot be done.
[[nodiscard]] std::string emit(const Model& model, const Rows& rows);

}  // namespace gnomon::api::generate
