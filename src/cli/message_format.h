// What sub prints for a message: the formats of mosquitto_sub.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "mqtt/packet.h"

namespace gnomon::cli {

// MessageFormat: a format, read once and then applied to every message.
//   %p payload  %x %X the same in hex  %l its length  %t topic  %q QoS  %r retained  %m packet id
//   %j %J JSON of all, the payload as a string, or as the JSON it is
//   %I time of arrival, ISO 8601  %U the same in seconds since 1970  %i client id of the subscriber
//   %A topic alias  %C content type  %D correlation data  %E expiry  %F payload format
//   %P user properties  %R response topic  %S subscription identifiers
//   %% a percent sign; between % and the letter: - (left), 0, a width, .PRECISION
//   @x what strftime makes of %x, @N nanoseconds, @@   \n \t \r \a \e \v \0 \\ .
class MessageFormat {
 public:
  // Errors: invalid, with the sequence that is not known.
  static Result<MessageFormat> parse(std::string_view text);

  struct Context {
    WallTime now;
    std::string_view client_id;
  };
  void append(const mqtt::Publish& publish, const Context& context, std::string& out) const;

 private:
  struct Piece {
    char kind = 0;  // the letter behind %; 0: `text` as it is; '@': strftime of `text`
    std::string text;
    bool left = false, zero = false;
    int width = 0, precision = -1;
  };
  std::vector<Piece> pieces_;
};

}  // namespace gnomon::cli
