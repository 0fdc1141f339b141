#include "base/log.h"

#include <cstdio>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>

namespace gnomon {
namespace {

// What `act` writes to standard error.
template <class F>
std::string standard_error_of(F&& act) {
  std::FILE* file = std::tmpfile();
  const int before = dup(2);
  REQUIRE(dup2(fileno(file), 2) == 2);
  act();
  REQUIRE(dup2(before, 2) == 2);
  close(before);
  std::string text(4096, '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST_CASE("plain values go as they are") {
  CHECK(log_text("stopped", {}) == "stopped");
  CHECK(log_text("listening", {{"mqtt", "127.0.0.1:1883"}, {"shards", 2}, {"lag", -5}}) ==
        "listening mqtt=127.0.0.1:1883 shards=2 lag=-5");
  CHECK(log_text("x", {{"name", "Zürich/温度"}}) == "x name=Zürich/温度");
  CHECK(log_text("x", {{"n", std::uint64_t{1} << 63}}) == "x n=9223372036854775808");
}

TEST_CASE("as JSON: numbers are numbers, everything else is a string") {
  CHECK(log_json("stopped", {}) == R"("event":"stopped")");
  CHECK(log_json("e", {{"mqtt", "a \"b\"\n"}, {"shards", 2}, {"text", "2"}}) ==
        R"("event":"e","mqtt":"a \"b\"\n","shards":2,"text":"2")");
  CHECK(log_json("e", {{"k", "\xff\x1b\u2028"}}) ==
        "\"event\":\"e\",\"k\":\"\xef\xbf\xbd\\u001b\\u2028\"");
  CHECK(log_json("e", {{"k", std::string(600, 'x')}}) ==
        "\"event\":\"e\",\"k\":\"" + std::string(512, 'x') + "…(600 bytes)\"");
}

TEST_CASE("a line of JSON has its time in UTC and its level") {
  const std::string line = standard_error_of([] {
    set_log_format(LogFormat::json);
    log_warn("a_test", {{"n", 7}, {"format", "{} %v %Y"}});
    set_log_format(LogFormat::text);
  });
  CHECK(line.starts_with("{\"time\":\"2"));
  CHECK(line.find(
            "Z\",\"level\":\"warning\",\"event\":\"a_test\",\"n\":7,\"format\":\"{} %v %Y\"}\n") !=
        std::string::npos);
}

TEST_CASE("no value can end its quotes, its line or look like another field") {
  const auto value = [](std::string_view v) { return log_text("e", {{"k", v}}).substr(4); };
  CHECK(value("") == R"("")");
  CHECK(value("two words") == R"("two words")");
  CHECK(value("a=b") == R"("a=b")");
  CHECK(value("say \"hi\"") == R"("say \"hi\"")");
  CHECK(value("c:\\temp") == R"("c:\\temp")");
  CHECK(value("x\n2026-01-01 forged") == R"("x\n2026-01-01 forged")");
  CHECK(value("\r\t\x7f") == R"("\x0d\x09\x7f")");
  CHECK(value(std::string_view("a\0b", 3)) == R"("a\x00b")");
  CHECK(value("\x1b[31mred") == R"("\x1b[31mred")");
  CHECK(value("\xff\xfe") == R"("\xff\xfe")");          // not UTF-8
  CHECK(value("\xc2\x9b") == R"("\xc2\x9b")");          // C1 control: CSI
  CHECK(value("\xe2\x80\xae") == R"("\xe2\x80\xae")");  // right-to-left override
  CHECK(value("\xe2\x80\xa8") == R"("\xe2\x80\xa8")");  // line separator
  CHECK(value("{} {0}") == R"("{} {0}")");
}

TEST_CASE("long values are cut at a character, and the cut is shown") {
  const std::string long_value = "a" + std::string(1000, 'b');
  CHECK(log_text("e", {{"k", long_value}}) == "e k=" + long_value.substr(0, 512) + "…(1001 bytes)");
  std::string umlauts = "a";
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  CHECK(log_text("e", {{"k", umlauts}}) == "e k=" + umlauts.substr(0, 511) + "…(601 bytes)");
}

TEST_CASE("a line has time, level and text, and the level decides") {
  const std::string text = standard_error_of([] {
    log_info("first {}", {{"k", "v"}});
    log(LogLevel::debug, "unseen");
    set_log_level(LogLevel::error);
    log_warn("unseen");
    log_error("second");
    set_log_level(LogLevel::off);
    log_error("unseen");
    set_log_level(LogLevel::info);
  });
  CHECK(text.size() > 24);
  CHECK(text.substr(10, 1) == "T");
  CHECK(text.substr(23, 1) == "Z");
  CHECK(text.find(" info first {} k=v\n") == 24);
  CHECK(text.find(" error second\n") != std::string::npos);
  CHECK(text.find("unseen") == std::string::npos);
}

TEST_CASE("log_enabled follows the level") {
  CHECK(log_enabled(LogLevel::info));
  CHECK_FALSE(log_enabled(LogLevel::debug));
  CHECK_FALSE(log_enabled(LogLevel::off));
}

TEST_CASE("LogLimiter lets a burst through each minute and says what it held back") {
  LogLimiter limiter(2);
  Instant now{5};
  CHECK(limiter.allow(now));
  CHECK(limiter.allow(now));
  CHECK(limiter.suppressed() == 0);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(limiter.allow(now + std::chrono::seconds(59)));
  now = now + std::chrono::seconds(61);
  CHECK(limiter.allow(now));
  CHECK(limiter.suppressed() == 10);
  CHECK(limiter.allow(now));
  CHECK(limiter.suppressed() == 0);
  CHECK_FALSE(limiter.allow(now));
}

TEST_CASE("a limiter of nothing lets nothing through") {
  LogLimiter limiter(0);
  CHECK_FALSE(limiter.allow(Instant{}));
}

}  // namespace
}  // namespace gnomon
