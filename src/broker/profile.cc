#include "broker/profile.h"

namespace gnomon::broker {

// AWS IoT: protocol limits and quotas, as of 2025; what it does where it deviates from MQTT.
Profile aws_profile() {
  Profile aws;
  aws.maximum_qos = 1;
  aws.subscription_identifiers_available = false;
  aws.hash_matches_parent = false;
  aws.retained_for_wildcards = false;
  aws.says_dup = false;
  aws.disconnects_for_reserved = true;
  aws.reserved_client_ids = true;
  aws.assigned_id_prefix = "$GEN/";
  aws.client_id_bytes_max = 128;
  aws.topic_bytes_max = 256;
  aws.topic_levels_max = 8;
  aws.share_name_bytes_max = 128;
  aws.share_members_max = 100;
  aws.payload_bytes_max = 128 * KiB;
  aws.subscriptions_per_packet = 8;
  aws.subscriptions_per_session = 50;
  aws.keep_alive_min_seconds = 30;
  aws.keep_alive_max_seconds = 1200;
  aws.message_expiry_min_seconds = 1;
  aws.message_expiry_max_seconds = 604'800;
  aws.inflight_max = 100;
  aws.session_expiry_max_seconds = 3600;
  aws.shadow_requests_max = 10;
  aws.connections_max = 500'000;
  aws.retained_messages_max = 500'000;
  aws.resend_every = std::chrono::seconds(30);
  aws.resend_for = std::chrono::hours(1);
  aws.rates = {.publishes_in = 100,
               .publishes_out = 100,
               .stored_out = 10,
               .shared_out = 20,
               .bytes_in = 512 * KiB,
               .connects_per_client = 1,
               .shadow_requests = 20,
               .retained_per_topic = 1,
               .connects = 500,
               .publishes = 20'000,
               .deliveries = 20'000,
               .retained = 500,
               .subscribes = 500};
  aws.mqtt.packet_bytes_max = 149'504;  // what its CONNACK says
  aws.mqtt.connect_bytes_max = 128 * KiB;
  aws.mqtt.properties_bytes_max = 9 * KiB;     // 8 KiB of user properties, and the others
  aws.mqtt.user_properties_max = 8 * KiB / 5;  // as many as fit into that
  aws.mqtt.receive_maximum = 100;
  aws.mqtt.topic_alias_max = 8;
  return aws;
}

}  // namespace gnomon::broker
