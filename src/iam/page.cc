#include "iam/page.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/base64.h"

namespace gnomon::iam {

namespace {

constexpr char version = 1;  // of markers: the name behind it

}  // namespace

Reply<Place> place_of(const PageRequest& request) {
  Place place{"", limits::iam_page_default};
  if (request.limit < 0 || static_cast<std::size_t>(request.limit) > limits::iam_page_max) {
    return Failure(Kind::validation,
                   "MaxItems must be from 1 to " + std::to_string(limits::iam_page_max) + '.');
  }
  if (request.limit > 0) place.limit = static_cast<std::size_t>(request.limit);
  if (request.marker.empty()) return place;
  auto behind = crypto::from_base64(request.marker);
  if (!behind || behind->size() < 2 || behind->front() != version) {
    return Failure(Kind::validation, "Invalid Marker: it must be as the page before has given it.");
  }
  place.behind = behind->substr(1);
  return place;
}

std::string marker_of(std::string_view last) {
  return crypto::base64(as_bytes(std::string(1, version).append(last)));
}

}  // namespace gnomon::iam
