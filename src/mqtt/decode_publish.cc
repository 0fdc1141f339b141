// The properties of a PUBLISH. The rest of the packet is read in connection_in.cc.
#include "mqtt/decode.h"
#include "mqtt/properties.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {

bool decode_publish_properties(const DecodeContext& context, ByteView& rest, Incoming& incoming) {
  wire::Cursor cursor(rest);
  ByteView block;
  if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
  rest = cursor.rest();

  Publish& publish = incoming.publish;
  incoming.scratch.clear();
  const Place place =
      context.role == Role::server ? Place::publish_to_server : Place::publish_to_client;
  PropertyScanner scanner(block, place, context.settings);
  PropertyGatherer travelling(incoming.scratch, block.size());
  Property property;
  while (scanner.next(property, incoming.fault)) {
    switch (property.id) {
      case PropertyId::topic_alias:
        publish.alias = static_cast<std::uint16_t>(property.number);
        break;
      case PropertyId::message_expiry_interval:
        publish.expiry_seconds = property.number;
        break;
      case PropertyId::subscription_identifier:
        publish.subscription_ids.push_back(property.number);
        break;
      default:
        travelling.add(property.raw);
        break;
    }
  }
  publish.properties = travelling.view();
  return !scanner.failed();
}

}  // namespace gnomon::mqtt
