#include "crypto/password.h"

#include <string>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "crypto/base64.h"

namespace gnomon::crypto {
namespace {

// As mosquitto_passwd 2.0.11 has written it, with the password "secret".
const std::string of_mosquitto =
    "$7$101$CIwvWrPbjrTW8gx4$u2LIVzdLXwPRRyK8DJqja5c//7BIHIvvMVuazMvs727CJqmU3EfgJndi+kC24/"
    "t3dPJjAqelKbWmfmsmyTNEPg==";

TEST_CASE("A hash of mosquitto's is read, matched and written the same") {
  const auto hash = PasswordHash::parse(of_mosquitto);
  REQUIRE(hash);
  CHECK(hash->matches("secret"));
  CHECK_FALSE(hash->matches("Secret"));
  CHECK_FALSE(hash->matches(""));
  CHECK(hash->text() == of_mosquitto);
}

TEST_CASE("Ours: salted, with many iterations, read again") {
  SeededRandom random(1);
  const PasswordHash hash = PasswordHash::make("pässword", random);
  // mosquitto 2.0 takes salts of 12 bytes and hashes of 64, and no others.
  CHECK(hash.text().starts_with("$7$210000$"));
  CHECK(hash.text().find('$', 10) == 10 + 16);
  CHECK(hash.text().size() == 10 + 16 + 1 + 88);
  const auto again = PasswordHash::parse(hash.text());
  REQUIRE(again);
  CHECK(again->matches("pässword"));
  CHECK_FALSE(again->matches("passwort"));
  CHECK(PasswordHash::make("x", random, 1).text() != PasswordHash::make("x", random, 1).text());
}

TEST_CASE("Passwords of any bytes, up to the most that MQTT can say") {
  using namespace std::string_literals;
  SeededRandom random(1);
  for (const std::string& word : {""s, "a\0b"s, "\xff"s, std::string(65535, 'x')}) {
    const PasswordHash hash = PasswordHash::make(word, random, 2);
    CHECK(hash.matches(word));
    CHECK_FALSE(hash.matches(word + "x"));
    CHECK_FALSE(hash.matches(word + "\0"s));
  }
  CHECK_FALSE(PasswordHash::make("a\0b"s, random, 1).matches("a\0c"s));
}

TEST_CASE("Nobody matches nothing") {
  CHECK_FALSE(PasswordHash::nobody().matches(""));
  CHECK_FALSE(PasswordHash::nobody().matches(std::string(64, '\0')));
}

TEST_CASE("Hashes that are damaged, strange or too slow are refused") {
  using namespace std::string_literals;
  const std::string rest = of_mosquitto.substr(of_mosquitto.find("$C"));
  CHECK(PasswordHash::parse("$7$1" + rest));
  for (const std::string& bad : {""s,
                                 "secret"s,
                                 "$7"s,
                                 "$7$"s,
                                 "$7$101"s,
                                 "$7$101$"s,
                                 "$7$101$$"s,
                                 "$7$0" + rest,
                                 "$7$-1" + rest,
                                 "$7$+1" + rest,
                                 "$7$1x" + rest,
                                 "$7$10000001" + rest,
                                 "$7$99999999999" + rest,
                                 "$7$" + rest,
                                 of_mosquitto.substr(0, of_mosquitto.size() - 4),
                                 of_mosquitto + "AAAA",
                                 of_mosquitto + "\n",
                                 of_mosquitto + "$",
                                 "$7$101$" + of_mosquitto.substr(of_mosquitto.rfind('$')),
                                 "$7$101$" + base64(as_bytes(std::string(65, 's'))) +
                                     of_mosquitto.substr(of_mosquitto.rfind('$')),
                                 "$7$101$CIwv" + "\0"s + of_mosquitto.substr(12)}) {
    CAPTURE(bad);
    const auto hash = PasswordHash::parse(bad);
    REQUIRE_FALSE(hash);
    CHECK(hash.error().code == Code::invalid);
  }
  CHECK(PasswordHash::parse("$6$abc$def").error().code == Code::unsupported);
}

TEST_CASE("Files: users, comments, empty lines, ends of lines of Windows") {
  const auto users =
      read_passwords("# mine\n\nlamp:" + of_mosquitto + "\r\nlämp 2:" + of_mosquitto);
  REQUIRE(users);
  CHECK(users->size() == 2);
  CHECK(users->at("lamp").matches("secret"));
  CHECK(users->contains("lämp 2"));
  CHECK(read_passwords("")->empty());
}

TEST_CASE("Files: the line that is wrong is named") {
  const auto message = [](const std::string& file) { return read_passwords(file).error().message; };
  CHECK(message("\nlamp\n").starts_with("line 2: the name of a user"));
  CHECK(message(":" + of_mosquitto).starts_with("line 1: the name"));
  CHECK(message("lamp:secret").starts_with("line 1: this is not the hash"));
  CHECK(message("lamp:$6$a$b").starts_with("line 1: the password is kept in the form $6$"));
  CHECK(message("a:" + of_mosquitto + "\na:" + of_mosquitto) ==
        "line 2: the user \"a\" is there twice");
  CHECK(message("l\xe4mp:" + of_mosquitto).starts_with("line 1: the name"));
}

TEST_CASE("Files are changed in one line, all others stay as they are") {
  const PasswordHash hash = *PasswordHash::parse(of_mosquitto);
  const std::string lamp = "lamp:" + of_mosquitto + "\n";
  CHECK(with_password("", "lamp", hash) == lamp);
  CHECK(with_password("# a\nfan:$6$x\nbroken", "lamp", hash) == "# a\nfan:$6$x\nbroken\n" + lamp);
  CHECK(with_password("a:1\nlamp:2\nb:3\nlamp:4\n", "lamp", hash) == "a:1\n" + lamp + "b:3\n");
  CHECK(with_password("lamp2:1\n#lamp:2\n", "lamp", hash) == "lamp2:1\n#lamp:2\n" + lamp);
  CHECK(without_user("a:1\nlamp:2\n\nb:3", "lamp").value() == "a:1\n\nb:3\n");
  CHECK(without_user("lamp:1\n", "lamp").value().empty());
  CHECK(without_user("lamp2:1\nlamp\n", "lamp").error().code == Code::not_found);
}

TEST_CASE("Names of users") {
  using namespace std::string_literals;
  for (const std::string& good : {"a"s, "lämp 2"s, "a#"s, std::string(65535, 'a')})
    CHECK(check_user(good));
  for (const std::string& bad :
       {""s, "#a"s, "a:b"s, "a\nb"s, "a\0b"s, "\xff"s, "\x7f"s, std::string(65536, 'a')})
    CHECK_FALSE(check_user(bad));
}

TEST_CASE("Base64: RFC 4648's texts, and only the one form of each") {
  using namespace std::string_literals;
  const std::pair<std::string, std::string> known[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
  for (const auto& [bytes, text] : known) {
    CHECK(base64(as_bytes(bytes)) == text);
    CHECK(from_base64(text) == bytes);
  }
  for (const std::string& bad : {"Z"s, "Zg"s, "Zg="s, "Zg==\n"s, "Zh=="s, "Z==="s, "===="s,
                                 "Zg==Zg=="s, "Zm 9"s, "Zm9-"s, "Zm9\0"s, "=Zm9"s})
    CHECK_FALSE(from_base64(bad));
}

}  // namespace
}  // namespace gnomon::crypto
