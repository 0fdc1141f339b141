// ListShadowVersions, RestoreShadow: the history of device shadows, of our own service.
#include <algorithm>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "operations/fields.h"
#include "operations/handlers.h"
#include "shadow/history.h"
#include "shadow/service.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

api::ApiError fail(const Context& context, std::string_view name, std::string message) {
  return api::modelled_error(*context.operation.service, name, std::move(message));
}

shadow::Address address_of(const json::Value& input) {
  return {text_copy(input, "thingName"), text_copy(input, "shadowName")};
}

std::string_view kind_of(shadow::Ask ask) {
  return ask == shadow::Ask::restore ? "restore" : shadow::word_of(ask);
}
std::string_view source_of(shadow::Source source) {
  switch (source) {
    case shadow::Source::mqtt:
      return "mqtt";
    case shadow::Source::http:
      return "http";
    case shadow::Source::rule:
      break;
  }
  return "rule";
}

Result<std::vector<shadow::Entry>, api::ApiError> history_of(const Context& context,
                                                             const shadow::Address& address) {
  auto found = shadow::history(context.world.registry.store, address);
  if (!found) return fail(context, "ServiceUnavailableException", found.error().message);
  if (found->empty()) {
    return fail(context, "ResourceNotFoundException",
                "No shadow exists with name: '" + name_of(address) + "'");
  }
  return *std::move(found);
}

Outcome list(Context& context, const json::Value& input, json::Value& output) {
  const auto entries = history_of(context, address_of(input));
  if (!entries) return entries.error();
  json::Value& versions = begin_list(output, "versions");
  for (const shadow::Entry& entry : *entries) {
    append(versions, bj::object{{"version", entry.version},
                                {"time", entry.at.ms},
                                {"kind", text_value(kind_of(entry.ask))},
                                {"source", text_value(source_of(entry.who.source))},
                                {"principal", or_null(entry.who.principal)},
                                {"clientId", or_null(entry.who.client_id)},
                                {"change", or_null(entry.change)},
                                {"state", or_null(entry.state)}});
  }
  return Done{};
}

Outcome restore(Context& context, const json::Value& input, json::Value&) {
  const shadow::Address address = address_of(input);
  const auto entries = history_of(context, address);
  if (!entries) return entries.error();
  const auto wanted = static_cast<std::uint64_t>(*number(input, "version"));
  const auto entry = std::ranges::find(*entries, wanted, &shadow::Entry::version);
  if (entry == entries->end()) {
    return fail(context, "ResourceNotFoundException",
                "Version " + std::to_string(wanted) + " is not kept: there are " +
                    std::to_string(entries->back().version) + " to " +
                    std::to_string(entries->front().version) + ".");
  }
  if (entry->ask == shadow::Ask::remove) {
    return fail(context, "InvalidRequestException",
                "Version " + std::to_string(wanted) +
                    " is a deletion: delete the shadow, or restore another version.");
  }
  shadow::Request request;
  request.address = address;
  request.ask = shadow::Ask::restore;
  request.payload = entry->state;
  request.qos = 1;
  request.who = {shadow::Source::http, context.caller.arn, {}};
  Done done;
  done.later.begin = [&shadows = *context.world.shadows, request = std::move(request),
                      service = context.operation.service](Later::Tell tell) mutable {
    request.then = [service, tell = std::move(tell)](shadow::Told told) {
      if (told.rejection) {
        return tell(api::modelled_error(*service,
                                        told.rejection->code == 400 || told.rejection->code == 413
                                            ? "InvalidRequestException"
                                            : "ServiceUnavailableException",
                                        told.rejection->message),
                    bj::object());
      }
      const auto accepted = json::parse(told.payload);
      tell(Done(), bj::object{{"version", accepted->as_object().at("version")}});
    };
    shadows.ask(std::move(request));
  };
  return done;
}

constexpr Entry entries[] = {
    {"ListShadowVersions", list},
    {"RestoreShadow", restore},
};

}  // namespace

Entries gnomon_shadows() { return entries; }

}  // namespace gnomon::operations
