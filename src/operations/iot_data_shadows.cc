// Device shadows over HTTP: GetThingShadow … ListNamedShadowsForThing.
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "operations/fields.h"
#include "operations/handlers.h"
#include "operations/iot_input.h"
#include "registry/page.h"
#include "shadow/service.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

constexpr std::int64_t page_size = 25;  // where none is asked for

// The class that SDKs raise for what is rejected.
std::string_view name_of(int code) {
  switch (code) {
    case 404:
      return "ResourceNotFoundException";
    case 409:
      return "ConflictException";
    case 413:
      return "RequestEntityTooLargeException";
    case 415:
      return "UnsupportedDocumentEncodingException";
    case 429:
      return "ThrottlingException";
    case 500:
      return "ServiceUnavailableException";
    default:
      return "InvalidRequestException";
  }
}

api::ApiError to_error(const api::Service& service, const shadow::Rejection& rejection) {
  return api::modelled_error(service, name_of(rejection.code), rejection.message);
}

// The shadow answers later, when what it tells of is durable.
Outcome ask(const Context& context, const json::Value& input, shadow::Ask what) {
  shadow::Request request;
  request.address = {text_copy(input, "thingName"), text_copy(input, "shadowName")};
  request.ask = what;
  request.payload = text_copy(input, "payload");
  request.qos = 1;
  request.who = {shadow::Source::http, context.caller.arn, {}};
  Done done;
  done.later.begin = [&shadows = *context.world.shadows, request = std::move(request),
                      service = context.operation.service](Later::Tell tell) mutable {
    request.then = [service, tell = std::move(tell)](shadow::Told told) {
      if (told.rejection) return tell(to_error(*service, *told.rejection), bj::object());
      tell(Done(), bj::object{{"payload", text_value(told.payload)}});
    };
    shadows.ask(std::move(request));
  };
  return done;
}

Outcome get(Context& context, const json::Value& input, json::Value&) {
  return ask(context, input, shadow::Ask::get);
}
Outcome update(Context& context, const json::Value& input, json::Value&) {
  return ask(context, input, shadow::Ask::update);
}
Outcome remove(Context& context, const json::Value& input, json::Value&) {
  return ask(context, input, shadow::Ask::remove);
}

Outcome list(Context& context, const json::Value& input, json::Value& output) {
  const std::string thing = text_copy(input, "thingName");
  const auto limit = static_cast<int>(number(input, "pageSize").value_or(page_size));
  const std::string listing = "ListNamedShadowsForThing " + thing;
  const auto place = registry::place_of(listing, {limit, text_copy(input, "nextToken")});
  const api::Service& service = *context.operation.service;
  if (!place) return api::modelled_error(service, "InvalidRequestException", place.error().message);
  const auto found = shadow::list_names(context.world.registry.store, thing, *place,
                                        static_cast<std::size_t>(limit));
  if (!found)
    return api::modelled_error(service, "ServiceUnavailableException", found.error().message);
  json::Value& names = begin_list(output, "results");
  for (const std::string& name : found->names) append(names, text_value(name));
  if (found->more)
    set(output, "nextToken", text_value(registry::token_of(listing, found->names.back())));
  set(output, "timestamp", context.now.ms / 1000);
  return Done{};
}

constexpr Entry entries[] = {
    {"GetThingShadow", get},
    {"UpdateThingShadow", update},
    {"DeleteThingShadow", remove},
    {"ListNamedShadowsForThing", list},
};

}  // namespace

Entries iot_data_shadows() { return entries; }

}  // namespace gnomon::operations
