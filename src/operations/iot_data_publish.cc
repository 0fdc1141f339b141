// Publish: a message by HTTP.
#include <limits>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "crypto/base64.h"
#include "operations/fields.h"
#include "operations/handlers.h"
#include "operations/publisher.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

api::ApiError refuse(const Context& context, std::string message) {
  return api::modelled_error(*context.operation.service, "InvalidRequestException",
                             std::move(message));
}

api::ApiError to_error(const api::Service& service, const Unpublished& error) {
  const char* name = "InvalidRequestException";
  if (error.why == Unpublished::Why::busy) name = "ThrottlingException";
  if (error.why == Unpublished::Why::too_large) name = "RequestEntityTooLargeException";
  return api::modelled_error(service, name, error.message);
}

// [{"name":"value"},…]: objects of one member each, in their order.
std::optional<api::ApiError> read_user_properties(const Context& context, const json::Value& input,
                                                  Publication& publication) {
  const json::Value* const given = member(input, "userProperties");
  if (given == nullptr) return std::nullopt;
  constexpr const char* wanted =
      "userProperties must be a JSON array of objects with one text each, in base64";
  if (!given->is_array()) return refuse(context, wanted);
  for (const json::Value& each : given->get_array()) {
    const bj::object* const pair = each.if_object();
    if (pair == nullptr || pair->size() != 1 || !pair->begin()->value().is_string())
      return refuse(context, wanted);
    publication.user_properties.emplace_back(pair->begin()->key(),
                                             pair->begin()->value().get_string());
  }
  return std::nullopt;
}

std::optional<api::ApiError> read_properties(const Context& context, const json::Value& input,
                                             Publication& publication) {
  if (auto error = read_user_properties(context, input, publication)) return error;
  publication.content_type = maybe_text(input, "contentType");
  publication.response_topic = maybe_text(input, "responseTopic");
  if (const auto format = maybe_text(input, "payloadFormatIndicator"))
    publication.utf8 = *format == "UTF8_DATA";
  if (const auto data = maybe_text(input, "correlationData")) {
    publication.correlation_data = crypto::from_base64(*data);
    if (!publication.correlation_data) return refuse(context, "correlationData must be base64");
  }
  if (const auto expiry = number(input, "messageExpiry")) {
    if (*expiry < 0 || *expiry > std::numeric_limits<std::uint32_t>::max())
      return refuse(context, "messageExpiry must be from 0 to 4294967295 seconds");
    publication.expiry_seconds = static_cast<std::uint32_t>(*expiry);
  }
  return std::nullopt;
}

Outcome publish(Context& context, const json::Value& input, json::Value&) {
  Publication publication;
  publication.topic = text_copy(input, "topic");
  publication.payload = text_copy(input, "payload");
  publication.qos = static_cast<std::uint8_t>(number(input, "qos").value_or(0));
  publication.retain = flag(input, "retain").value_or(false);
  publication.principal = context.caller.arn;
  if (auto error = read_properties(context, input, publication)) return *std::move(error);
  Done done;
  done.later.begin = [&publisher = *context.world.publisher, publication = std::move(publication),
                      service = context.operation.service](Later::Tell tell) mutable {
    publisher.publish(std::move(publication), [service, tell = std::move(tell)](
                                                  const Result<void, Unpublished>& published) {
      if (!published) return tell(to_error(*service, published.error()), bj::object());
      tell(Done(), bj::object());
    });
  };
  return done;
}

constexpr Entry entries[] = {{"Publish", publish}};

}  // namespace

Entries iot_data_publish() { return entries; }

}  // namespace gnomon::operations
