#include "cli/message_format.h"

#include <doctest/doctest.h>

#include "cli/json.h"

namespace gnomon::cli {
namespace {

struct Sample {
  mqtt::Publish publish;
  Buffer properties;

  Sample() {
    publish.topic = "lamp/1";
    publish.payload = as_bytes("on\n");
    publish.qos = 1;
    publish.packet_id = 7;
  }
  Sample& with_properties() {
    mqtt::append_property(properties, mqtt::PropertyId::payload_format_indicator, 1u);
    mqtt::append_property(properties, mqtt::PropertyId::content_type, std::string_view("text"));
    mqtt::append_property(properties, mqtt::PropertyId::response_topic, std::string_view("re"));
    mqtt::append_property(properties, mqtt::PropertyId::correlation_data, std::string_view("co"));
    mqtt::append_user_property(properties, "k", "v");
    mqtt::append_user_property(properties, "k", "w");
    publish.properties = properties.view();
    publish.expiry_seconds = 60;
    publish.subscription_ids = {3, 4};
    return *this;
  }
};

constexpr WallTime now{1'700'000'000'042};

std::string print(std::string_view format, const Sample& sample) {
  const auto parsed = MessageFormat::parse(format);
  if (!parsed) return "error: " + parsed.error().message;
  std::string out;
  parsed->append(sample.publish, {now, "me"}, out);
  return out;
}

TEST_CASE("formats of messages") {
  const Sample sample;
  CHECK(print("%t %p|%l|%q|%r|%m|%i", sample) == "lamp/1 on\n|3|1|0|7|me");
  CHECK(print("%x %X", sample) == "6f6e0a 6F6E0A");
  CHECK(print("%U", sample) == "1700000000.042000000");
  CHECK(print("a%%b\\n\\t\\\\c@@", sample) == "a%b\n\t\\c@");
  CHECK(print("@s @N", sample) == "1700000000 042000000");
  CHECK(print("[%10t][%-8t][%.4t][%05l][%-5l]", sample) ==
        "[    lamp/1][lamp/1  ][lamp][00003][3    ]");
  CHECK(print("%I", sample).starts_with("2023-11-1"));
  CHECK(print("[%A%C%D%E%F%P%R%S]", sample) == "[]");
  CHECK(print("", sample) == "");
}

TEST_CASE("properties in formats") {
  CHECK(print("%C %D %E %F %P %R %S", Sample().with_properties()) == "text co 60 1 k:v k:w re 3 4");
}

TEST_CASE("messages as JSON") {
  std::string json = print("%j", Sample());
  CHECK(json.starts_with("{\"tst\":\"2023-11-1"));
  CHECK(json.find(".042000") != std::string::npos);
  CHECK(
      json.ends_with("\"topic\":\"lamp/1\",\"qos\":1,\"retain\":0,\"payloadlen\":3,\"mid\":7,"
                     "\"payload\":\"on\\n\"}"));
  CHECK(is_json(json));
  Sample rich;
  rich.with_properties();
  rich.publish.payload = as_bytes("{\"a\":[1,2]}");
  json = print("%J", rich);
  CHECK(json.ends_with("\"payload\":{\"a\":[1,2]}}"));
  CHECK(
      json.find("\"properties\":{\"message-expiry-interval\":60,\"subscription-identifier\":[3,4],"
                "\"payload-format-indicator\":1,\"content-type\":\"text\",\"response-topic\":"
                "\"re\",\"correlation-data\":\"co\",\"user-properties\":[{\"k\":\"v\"},"
                "{\"k\":\"w\"}]}") != std::string::npos);
  CHECK(is_json(json));
  rich.publish.payload = as_bytes("not JSON \xff");
  CHECK(print("%J", rich).ends_with("\"payload\":\"not JSON \xef\xbf\xbd\"}"));
  rich.publish.payload = {};
  CHECK(print("%J", rich).ends_with("\"payload\":null}"));
  CHECK(print("%j", rich).ends_with("\"payload\":\"\"}"));
}

TEST_CASE("what is no format") {
  for (const char* text : {"%", "%z", "%5", "%-", "%.", "%5.2", "\\", "\\q", "@", "@!", "%0"}) {
    CAPTURE(text);
    CHECK(!MessageFormat::parse(text).ok());
  }
}

}  // namespace
}  // namespace gnomon::cli
