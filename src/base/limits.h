// Every bound of the server in one place, AWS IoT's quota beside it ("–": AWS names none).
// Sizes are bytes. docs/limits.md tells users of each, and by which setting it can be changed;
// scripts/check-limits holds it against this file.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"

namespace gnomon::limits {

// ---- packets
constexpr std::size_t packet_bytes_max = 8 * MiB;       // AWS: 128 KiB of payload
constexpr std::size_t connect_bytes_max = 128 * KiB;    // AWS: 128 KiB; before authentication
constexpr int user_properties_max = 64;                 // per packet; AWS: 8 KiB in total
constexpr std::size_t properties_bytes_max = 64 * KiB;  // per packet; AWS: 8 KiB of user properties
// The longest MQTT packet; a frame is not held, so MQTT's own bound is what counts. AWS: 128 KiB.
constexpr std::size_t websocket_frame_bytes_max = 256 * MiB + 5;

// ---- names
constexpr std::size_t topic_bytes_max = 65535;      // AWS: 256
constexpr int topic_levels_max = 128;               // AWS: 8
constexpr std::size_t client_id_bytes_max = 65535;  // AWS: 128

// ---- one connection
constexpr std::uint16_t receive_maximum = 1024;      // unacknowledged PUBLISHes from it; AWS: 100
constexpr std::uint16_t inflight_max = 65535;        // unacknowledged PUBLISHes to it; AWS: 100
constexpr std::uint16_t topic_alias_max = 32;        // each way; AWS: 8
constexpr int subscriptions_per_packet = 1024;       // AWS: 8
constexpr int subscriptions_per_session = 100'000;   // AWS: 50
constexpr std::chrono::seconds connect_timeout{10};  // TCP accepted to CONNECT complete; AWS: –
constexpr std::size_t parked_bytes_max = 64 * KiB;  // received behind an undecided CONNECT; AWS: –
constexpr std::size_t output_bytes_max = 16 * MiB;   // unsent; beyond it QoS 0 is dropped; AWS: –
constexpr std::size_t output_bytes_hard = 24 * MiB;  // beyond it the connection is closed; AWS: –
constexpr std::size_t replay_output_bytes = 1 * MiB;  // unsent; beyond it no retained ones; AWS: –
constexpr std::size_t replay_live_max = 100'000;     // topics that arrive during a replay; AWS: –
constexpr std::size_t queue_bytes_max = 16 * MiB;    // QoS 1 past the receive maximum; AWS: –
constexpr std::size_t queue_messages_max = 100'000;  // the same, counted; AWS: –

// ---- overload (broker/pressure.h)
constexpr std::uint64_t held_bytes_max = 512 * MiB;  // messages on their way to clients; AWS: –
constexpr std::int64_t fair_bytes_per_second = 64 * KiB;  // published under pressure; AWS: 512 KiB
constexpr std::size_t pressed_output_bytes = 256 * KiB;  // unsent; beyond it no QoS 0 then; AWS: –
constexpr std::chrono::seconds stalled_timeout{10};      // a receiver that takes nothing; AWS: –
constexpr std::size_t stalled_output_bytes = 64 * KiB;   // unsent of such a one; AWS: –
constexpr std::size_t held_publish_bytes = 1 * MiB;  // read of one publisher while it waits; AWS: –

// ---- one persistent session
constexpr std::size_t ready_bytes_max = 1 * MiB;   // of its queue in memory; AWS: –
constexpr std::size_t ready_bytes_min = 16 * KiB;  // the same while memory is short; AWS: –
constexpr std::size_t flight_bytes_max = 8 * MiB;  // sent and not acknowledged; AWS: –
constexpr std::size_t page_bytes = 256 * KiB;      // read from its queue at once; AWS: –
constexpr std::size_t page_messages = 1024;        // the same, counted; AWS: –
constexpr std::size_t retained_per_scan = 20'000;  // retained topics looked at in one go; AWS: –
constexpr std::uint64_t session_bytes_max = 1 << 30;                 // queued; AWS: –
constexpr std::uint64_t session_messages_max = 2'000'000;            // the same, counted; AWS: –
constexpr std::uint32_t session_expiry_max_seconds = 7 * 24 * 3600;  // AWS: 1 hour, at most 7 days
constexpr std::uint32_t session_expiry_never = UINT32_MAX;  // MQTT 5 §3.1.2.11.2; AWS: not allowed
constexpr std::chrono::seconds will_grace{30};  // after a restart, for the client to return; AWS: –
constexpr int expiries_per_turn = 64;           // sessions and wills; AWS: –
constexpr int filters_dropped_per_turn = 2048;  // of sessions that have ended; AWS: –

// ---- a share group
constexpr std::size_t share_members_max = 10'000;  // of one group; AWS: 100
// Of one member:
constexpr int share_window = 256;                    // given to it, not acknowledged; AWS: –
constexpr std::size_t share_flight_bytes = 1 * MiB;  // the same; one message always; AWS: –

// ---- one shard
constexpr std::size_t read_bytes = 256 * KiB;  // the shard's one receive buffer
constexpr std::size_t work_per_turn = 8'000;   // deliveries, before heavy publishers wait; AWS: –
constexpr std::chrono::milliseconds lane_time{5};   // the same, for mail to another shard; AWS: –
constexpr std::chrono::seconds busy_time{1};        // since a turn was full; AWS: –
constexpr int rechecks_per_turn = 256;              // connections asked about again; AWS: –
constexpr int rechecks_open_max = 1024;             // of these, not answered; AWS: –
constexpr int shards_max = 32;                      // two owners each in one 64-bit mask
constexpr std::size_t mail_block_bytes = 64 * KiB;  // messages for another shard, encoded
constexpr int mail_credits = 64;                    // blocks that one shard may owe another
constexpr std::size_t interest_acks_remembered = 1024;   // of each other shard
constexpr std::size_t route_topics_max = 8192;           // remembered; a power of two
constexpr std::size_t route_targets_max = 1 << 20;       // of all of them
constexpr std::size_t versions_remembered_max = 65'536;  // of who has gone, in an hour; AWS: –
constexpr std::chrono::hours versions_remembered{1};     // by then they begin anew; AWS: 1 hour
constexpr std::size_t event_topics_bytes = 64 * KiB;     // of filters in one event; AWS: –
constexpr std::size_t rates_remembered_max = 65'536;     // client ids, topics: compat = "aws"
constexpr int unauthenticated_max = 4096;                // connections without a CONNACK; AWS: –

// ---- the wall clock (wall_guard.h)
// A step as NTP makes one at start, or a pause as of a machine that moves, is below; expiries worth
// holding are above.
constexpr std::chrono::seconds clock_jump{30};
// For NTP or an operator to correct a clock that has jumped; what was to expire waits so long.
constexpr std::chrono::hours clock_hold{1};
// A server may well have been down for so long; a longer time looks like a wrong clock.
constexpr std::chrono::hours down_most{30 * 24};
// How often the highest time is written, and how often that asks for a sync where nobody else does.
constexpr std::chrono::seconds clock_record_period{10};
constexpr std::chrono::minutes clock_sync_period{5};
static_assert(clock_record_period < clock_jump);  // what a start may be ahead by is caught up with
// Before this program existed (2023-11-01) and after 2200 no clock is right.
constexpr WallTime wall_time_least{1'698'796'800'000}, wall_time_most{7'258'118'400'000};

// ---- certificates and keys
constexpr std::size_t certificate_pem_bytes_max = 64 * KiB;  // AWS: 65,536
constexpr std::size_t certificate_der_bytes_max = 48 * KiB;  // what such a text can hold
constexpr std::size_t request_pem_bytes_max = 4096;          // of a signing request; AWS: 4,096
constexpr std::size_t certificate_chain_max = 10;            // in one text or file; AWS: –
constexpr std::size_t pem_text_bytes_max = 256 * KiB;        // of a chain, or with a key; AWS: –
constexpr int rsa_bits_least = 2048, rsa_bits_max = 8192;    // AWS: at least 2,048
constexpr std::size_t server_names_max = 100;  // in the server's certificate; AWS: –

// ---- passwords
constexpr std::uint32_t password_iterations_max = 10'000'000;  // of a hash in a file; AWS: –
constexpr std::size_t password_salt_bytes_max = 64;
constexpr std::size_t password_bytes_max = 65535;          // MQTT 5 §3.1.3.6: two-byte length
constexpr std::size_t user_bytes_max = 65535;              // MQTT 5 §3.1.3.5: two-byte length
constexpr std::size_t password_file_bytes_max = 64 * MiB;  // some 400,000 users; AWS: –
constexpr int password_checks_max = 32;                    // waiting or running; AWS: –
constexpr std::size_t passwords_remembered_max = 10'000;   // that were right; AWS: –

// ---- HTTP
constexpr std::size_t http_head_bytes_max = 16 * KiB;   // trailers, too; AWS: –
constexpr std::size_t http_body_bytes_max = 64 * KiB;   // unless who answers takes more; AWS: –
constexpr std::uint64_t http_progress_bytes = 4 * KiB;  // of a body, in http_idle; AWS: –
constexpr std::size_t http_unanswered_bytes_max = 64 * KiB;  // behind an open request; AWS: –
constexpr std::size_t http_unsent_bytes = 256 * KiB;      // beyond it no more are served; AWS: –
constexpr std::size_t http_unsent_bytes_hard = 16 * MiB;  // of a streamed answer: cut off; AWS: –

// ---- connections before it is known who they are; counted by shard
constexpr int arrivals_max = 4096;                  // until MQTT or HTTP is spoken; AWS: –
constexpr std::size_t http_connections_max = 4096;  // AWS: –
constexpr std::chrono::seconds http_idle{30};       // see net::HttpServer::Settings; AWS: –
constexpr std::size_t admissions_remembered_max = 20'000;  // by who, client id, address; AWS: –
constexpr std::size_t admission_key_bytes_max = 512;       // longer ones are not; AWS: –
constexpr std::size_t documents_remembered_max = 1'000;    // read policies; AWS: –
constexpr std::size_t document_remembered_bytes_max = 16 * KiB;  // longer ones are not; AWS: –
constexpr std::size_t decisions_remembered_max = 1'000;  // refusals that can be explained; AWS: –
constexpr std::size_t decision_text_bytes_max = 8 * KiB;  // of one; AWS: –

// ---- connections that have ended, with output that their peer has not taken
constexpr std::size_t linger_streams_max = 1024;         // of a shard; AWS: –
constexpr std::size_t linger_bytes_max = 64 * MiB;       // of all of them; AWS: –
constexpr std::chrono::seconds linger_time{3};           // AWS: –
constexpr std::size_t linger_input_bytes_max = 1 * MiB;  // from each, thrown away; AWS: –

// ---- below MQTT
constexpr std::size_t tls_turn_bytes = 256 * KiB;    // encrypted of a connection; AWS: –
constexpr int handshakes_per_turn = 16;              // steps, up to two signatures each; AWS: –
constexpr std::size_t pong_output_bytes = 64 * KiB;  // unsent; beyond it a pong waits; AWS: –
constexpr std::size_t proxy_v1_bytes_max = 107;      // as the PROXY protocol has it
constexpr std::size_t proxy_v2_bytes_max = 536;      // as it recommends
constexpr std::size_t https_listeners_max = 16;      // AWS: –

// ---- the admin listener, and settings
constexpr std::size_t admin_page_max = 1000;           // entries
constexpr int retained_reads_max = 4;                  // pages of retained messages at a time
constexpr std::size_t admin_subscriptions_max = 1000;  // of one client that are told
constexpr std::uint32_t admin_places_max = 8192;       // connections looked at for a page
constexpr std::size_t admin_payload_bytes = 256;       // of a retained message that is shown
constexpr std::size_t trace_packets_max = 1000;        // that nobody has fetched
constexpr std::size_t trace_text_bytes_max = 200;      // of a topic or payload
constexpr std::size_t traces_max = 16;                 // of clients, at a time
constexpr std::chrono::seconds trace_forgotten{15};    // since somebody asked for its packets
constexpr std::chrono::seconds loop_stalled{2};        // without a turn: not ready
constexpr std::size_t settings_bytes_max = 1 * MiB;    // of the file

// ---- documents
constexpr std::size_t json_bytes_max = 1 * MiB;  // of one text, unless said otherwise; AWS: –
constexpr int json_depth_max = 64;               // arrays and objects inside each other; AWS: –

// ---- device shadows
constexpr std::size_t shadow_state_bytes = 8 * KiB;      // of desired and reported; AWS: 8 KiB
constexpr int shadow_depth = 8;                          // names inside each other; AWS: 8
constexpr std::size_t shadow_request_bytes = 128 * KiB;  // of an update as it comes; AWS: 128 KiB
constexpr std::size_t shadow_token_bytes_max = 64;       // "clientToken"; AWS: 64
constexpr std::size_t thing_name_bytes_max = 128;        // AWS: 128
constexpr std::size_t shadow_name_bytes_max = 64;        // AWS: 64
constexpr std::size_t shadow_history_max = 20;           // versions that are kept; AWS: –
constexpr std::size_t shadow_change_bytes = 8 * KiB;     // of one, as it was sent; AWS: –
constexpr std::size_t shadow_requests_max = 10'000;      // open, of a shard's things; AWS: –
constexpr int shadow_requests_per_turn = 1000;           // of a loop, then others; AWS: –
constexpr std::size_t shadow_cache_bytes = 64 * MiB;     // of all shards together; AWS: –

// ---- the fleet index
constexpr std::size_t query_bytes_max = 1000;         // of a query; AWS: 1,000
constexpr std::size_t query_terms_max = 12;           // AWS: 12 (formerly 5)
constexpr int query_depth_max = 32;                   // of parentheses and NOT; AWS: –
constexpr std::size_t index_text_bytes = 256;         // of a value, by which it is found; AWS: –
constexpr std::size_t index_field_bytes = 512;        // of a field with such values; AWS: –
constexpr std::size_t indexed_shadow_names_max = 10;  // AWS: 10
constexpr std::size_t custom_fields_max = 5;          // of an index; AWS: 5
constexpr std::size_t search_page_default = 100;      // things; AWS: 100
constexpr std::size_t search_page_max = 500;          // AWS: 500
constexpr std::size_t search_examined_max = 20'000;   // things read for a page; AWS: –
constexpr std::size_t search_names_max = 20'000;      // of things, put in order; AWS: –
constexpr std::size_t search_fields_max = 500;        // for a term without a field; AWS: –
constexpr std::size_t aggregated_max = 1'000'000;     // things read for a sum; AWS: –
constexpr std::size_t distinct_values_max = 100'000;  // of a field, counted; AWS: –
constexpr std::size_t buckets_default = 10;           // AWS: 10
constexpr std::size_t percents_max = 100;             // of a call; AWS: –
constexpr std::size_t dynamic_groups_max = 100;       // AWS: 100
constexpr std::size_t index_slice = 100;              // things or shadows indexed at a time
constexpr std::size_t connectivity_slice = 1000;      // records written again at a time

// ---- calls of AWS's APIs
constexpr std::chrono::minutes clock_skew_max{5};           // of a signature; AWS: 5 minutes
constexpr std::chrono::hours presigned_expiry_max{7 * 24};  // AWS: 604,800 s
constexpr std::size_t signed_headers_max = 100;             // AWS: –
constexpr std::size_t parameters_max = 4096;                // of a query or form; AWS: –
constexpr std::size_t path_segments_max = 64;               // AWS: –
constexpr int api_calls_max = 256;  // of the AWS APIs at once; beyond it 503; AWS: by service
constexpr std::size_t api_body_bytes_max = 144 * KiB;    // of a call; AWS: 128 KiB to publish
constexpr std::size_t api_document_bytes_max = 1 * MiB;  // JSON in a body; AWS: by service
constexpr std::size_t validation_errors_max = 10;        // that are told; AWS: –
constexpr std::size_t shown_value_bytes_max = 1024;      // of a wrong value; AWS: –

// ---- policies
constexpr std::size_t iot_policy_characters_max = 2048;   // without white space; AWS: 2,048
constexpr std::size_t iam_policy_characters_max = 10240;  // the same; AWS: 2,048 to 10,240 by kind
constexpr std::size_t policy_bytes_max = 400 * KiB;   // as it comes, with white space; AWS: 404,600
constexpr std::size_t policy_action_bytes_max = 256;  // of a request; longer ones never match
constexpr std::size_t certificate_values_max = 5;     // of one field, as variables; AWS: 5
constexpr std::size_t certificate_value_bytes_max = 1024;  // the same, each; AWS: 1,024

// ---- the registry
constexpr std::size_t page_entries_max = 250;           // of a listing; AWS: 250
constexpr std::size_t page_examined_max = 2'000;        // for one page of a filter; AWS: –
constexpr std::size_t attributes_without_type_max = 3;  // of a thing; AWS: 3
constexpr std::size_t attributes_max = 50;              // of a thing with a type, a group; AWS: 50
constexpr std::size_t searchable_attributes_max = 3;    // of a thing type; AWS: 3
constexpr std::chrono::minutes type_deprecated_least{5};  // before it may be deleted; AWS: 5
constexpr std::size_t group_levels_max = 7;               // of a hierarchy; AWS: 7
constexpr std::size_t group_children_max = 100;           // direct ones; AWS: 100
constexpr std::size_t groups_of_thing_max = 10;           // AWS: 10
constexpr std::size_t user_target_bytes_max = 256;        // of NAME in gnomon:user/NAME
constexpr std::size_t policies_attached_max = 10;         // to one target; AWS: 10
constexpr std::size_t policy_versions_max = 5;            // AWS: 5
constexpr std::size_t authorities_of_subject_max = 10;    // CAs with one subject; AWS: 10
constexpr std::size_t tags_max = 50;                      // of a resource; AWS: 50
constexpr std::size_t principals_named_max = 1'000;  // that a change affects; else all; AWS: –

// ---- provisioning
constexpr std::size_t template_bytes_max = 10240;           // of a template; AWS: 10,240
constexpr std::size_t template_value_bytes_max = 64 * KiB;  // that it makes; AWS: –
constexpr std::size_t template_copies_max = 2'000;          // of values by Fn::Sub; AWS: –
constexpr std::size_t templates_max = 256;                  // of the account; AWS: 256
constexpr std::size_t template_versions_max = 5;            // of a template; AWS: 5
constexpr std::size_t role_aliases_max = 100;               // of the account; AWS: 100
constexpr std::chrono::hours ownership_lifetime{1};         // of a token; AWS: 1 hour
constexpr std::chrono::minutes claim_lifetime{5};           // of a provisioning claim; AWS: 5
constexpr std::uint64_t waiting_certificates_max = 10'000;  // not provisioned; AWS: 10 a second
constexpr int claims_open_max = 16;                         // requests by MQTT at once
constexpr std::size_t claim_payload_bytes_max = 16 * KiB;   // of a request by MQTT; AWS: 128 KiB

// ---- users, roles and their policies
constexpr std::size_t iam_page_default = 100;                   // entries of a listing; AWS: 100
constexpr std::size_t iam_page_max = 1'000;                     // AWS: 1,000
constexpr std::size_t callers_remembered_max = 10'000;          // with their policies; AWS: –
constexpr std::size_t callers_remembered_bytes_max = 16 * MiB;  // of them, as text; AWS: –
constexpr std::uint64_t users_max = 5'000;                      // of the account; AWS: 5,000
constexpr std::uint64_t roles_max = 1'000;                      // AWS: 1,000
constexpr std::uint64_t managed_policies_max = 1'500;           // AWS: 1,500
constexpr std::size_t access_keys_max = 2;                      // of a user; AWS: 2
constexpr std::size_t user_policy_characters_max = 2'048;       // inline, all of a user; AWS: 2,048
constexpr std::size_t role_policy_characters_max = 10'240;    // inline, all of a role; AWS: 10,240
constexpr std::size_t trust_policy_characters_max = 2'048;    // AWS: 2,048
constexpr std::size_t session_policy_bytes_max = 4'096;       // with its tags; AWS: packed, 2,048
constexpr std::size_t managed_policy_characters_max = 6'144;  // AWS: 6,144

}  // namespace gnomon::limits
