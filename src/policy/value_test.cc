#include <doctest/doctest.h>

#include "base/limits.h"
#include "policy/condition.h"
#include "policy/document.h"
#include "policy/variables.h"

namespace gnomon::policy {
namespace {

TEST_CASE("dates") {
  CHECK(read_date("1970") == 0);
  CHECK(read_date("2020-04") == 1585699200000);
  CHECK(read_date("2020-04-01") == 1585699200000);
  CHECK(read_date("2020-04-01T00:00Z") == 1585699200000);
  CHECK(read_date("2020-04-01T02:00:01.25+02:00") == 1585699201250);
  CHECK(read_date("2020-04-01T02:00:01.123456+0200") == 1585699201123);
  CHECK(read_date("1969-12-31T23:59:59Z") == -1000);
  CHECK(read_date("1585699200") == 1585699200000);
  CHECK(read_date("0") == 0);
  for (const std::string text : {"", "2020-13", "2020-02-30", "2020-04-01T", "2020-04-01T25:00Z",
                                 "2020-04-01T00:00", "2020-04-01T00:00:00.Z", "2020-04-01 00:00Z",
                                 "2020-04-01T00:00Zx", "1.5", "99999999999999999999", "-"}) {
    CAPTURE(text);
    CHECK_FALSE(read_date(text));
  }
}

TEST_CASE("numbers") {
  CHECK(read_number("0") == 0);
  CHECK(read_number("-1.5e3") == -1500);
  CHECK(read_number("+2") == 2);
  for (const std::string text :
       {"", "-", "inf", "nan", "-inf", "1e999", "0x1", "1 ", " 1", "--1", "+-1"}) {
    CAPTURE(text);
    CHECK_FALSE(read_number(text));
  }
}

TEST_CASE("addresses") {
  const auto within = [](const char* range, const char* address) {
    const auto network = read_network(range), one = read_network(address);
    REQUIRE(network);
    REQUIRE(one);
    return network->contains(*one);
  };
  CHECK(within("10.0.0.0/8", "10.255.0.1"));
  CHECK_FALSE(within("10.0.0.0/8", "11.0.0.0"));
  CHECK(within("10.1.2.3/8", "10.9.9.9"));
  CHECK(within("10.0.0.1", "10.0.0.1"));
  CHECK_FALSE(within("10.0.0.1", "10.0.0.0/8"));
  CHECK(within("::/0", "10.0.0.1"));
  CHECK(within("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(within("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(within("::1", "0:0:0:0:0:0:0:1"));
  CHECK(within("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:0.7.0.8"));
  CHECK(within("::ffff:10.0.0.1", "10.0.0.1"));
  CHECK(within("1::", "1:0:0:0::"));
  for (const std::string text : {"",
                                 "10.0.0",
                                 "10.0.0.256",
                                 "10.0.0.01",
                                 "10.0.0.0/33",
                                 "10.0.0.0/",
                                 "10.0.0.0/-1",
                                 "10.0.0.0.0",
                                 ":",
                                 ":::",
                                 "1:2",
                                 "1::2::3",
                                 "12345::",
                                 "1:2:3:4:5:6:7:8:9",
                                 "::/129",
                                 "1:2:3:4:5:6:7:",
                                 "::g",
                                 "::1.2.3",
                                 "1.2.3.4::",
                                 "1:2:3:4:5:6:7::8",
                                 "10.0.0.0/+1",
                                 "0x1.0.0.0"}) {
    CAPTURE(text);
    CHECK_FALSE(read_network(text));
  }
}

TEST_CASE("operators by name") {
  for (const std::string name :
       {"StringEquals", "ForAllValues:StringNotLikeIfExists", "ForAnyValue:ArnLike", "Null",
        "NotIpAddress", "DateGreaterThanEqualsIfExists", "BinaryEquals", "Bool"}) {
    CAPTURE(name);
    const auto op = find_operator(name);
    REQUIRE(op);
    CHECK(to_string(*op) == name);
  }
  CHECK(find_operator("ArnEquals") == find_operator("ArnLike"));
  for (const std::string name :
       {"", "stringequals", "IfExists", "ForAllValues:", "ForAllValues:Null", "NullIfExists",
        "StringEqualsIfExistsIfExists"}) {
    CAPTURE(name);
    CHECK_FALSE(find_operator(name));
  }
}

TEST_CASE("a document that is too long for its dialect") {
  const auto document = [](std::size_t length) {
    return R"({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*",
              "Resource": "arn:aws:iot:*:*:topic/)" +
           std::string(length, 'a') + "\"}}";
  };
  const std::size_t rest = count_characters(document(0));
  CHECK(parse(document(limits::iot_policy_characters_max - rest), Dialect::iot).ok());
  const auto longer = parse(document(limits::iot_policy_characters_max - rest + 1), Dialect::iot);
  REQUIRE_FALSE(longer.ok());
  CHECK(longer.error().code == Code::exhausted);
  CHECK(parse(document(limits::iot_policy_characters_max), Dialect::iam).ok());
  CHECK(count_characters(" a\t\n\xc3\xbc\r") == 2);
}

TEST_CASE(
    "a certificate value that is too long has no variable; those behind it keep their numbers") {
  Variables variables;
  variables.set_certificate_field("f", {"a", std::string(1025, 'x'), "c"});
  REQUIRE(variables.find("f"));
  CHECK_FALSE(variables.find("f.1"));
  CHECK(variables.find("F.2")->values == std::vector<std::string>{"c"});
  CHECK(variables.find("f.List")->values == std::vector<std::string>{"a", "c"});
}

}  // namespace
}  // namespace gnomon::policy
