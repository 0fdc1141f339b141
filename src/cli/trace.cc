// gnomon trace: asks the admin listener again and again for the packets of a client.
#include <csignal>
#include <iostream>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/json_text.h"
#include "cli/admin_client.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/json.h"

namespace gnomon::cli {

namespace {

constexpr int look_every_ms = 200;

int fail(const std::string& what) {
  std::cerr << "gnomon trace: " << what << '\n';
  return exit_failed;
}

Result<Json> ask_json(const std::string& admin, const std::string& method,
                      const std::string& target) {
  auto answer = ask(admin, method, target);
  if (!answer) return answer.error();
  while (answer->text.ends_with('\n')) answer->text.pop_back();
  if (answer->status != 200) return Error{Code::unavailable, answer->text};
  auto value = read_json(answer->text);
  if (!value) return Error{Code::unavailable, admin + " did not answer with JSON"};
  return std::move(*value);
}

// "10:41:03.042" in UTC.
std::string time_of_day(std::string_view milliseconds) {
  return to_string(read_wall_time(milliseconds)).substr(11, 12);
}

struct Wanted {
  std::string admin = "127.0.0.1:8080", client;
  bool json = false;
  std::uint64_t count = 0;  // 0: no end
};

// Prints what came; false: that was enough. Names are escaped: clients have chosen them.
bool print(const Wanted& wanted, const Json& answer, std::uint64_t& seen) {
  if (const std::string_view dropped = answer.get("dropped"); dropped != "0") {
    std::cerr << "gnomon trace: " << dropped << " packets were too many to keep\n";
  }
  const Json* packets = answer.find("packets");
  if (packets == nullptr) return true;
  for (const auto& [name, each] : packets->members) {
    const std::string what = json_text(each.get("packet"));
    if (wanted.json) {
      std::cout << "{\"at_ms\":" << each.get("at_ms") << ",\"from\":" << json_text(each.get("from"))
                << ",\"packet\":" << what << "}\n";
    } else {
      std::cout << time_of_day(each.get("at_ms")) << (each.get("from") == "client" ? " > " : " < ")
                << what.substr(1, what.size() - 2) << '\n';
    }
    if (++seen == wanted.count) break;
  }
  return std::cout.flush() && (wanted.count == 0 || seen < wanted.count);
}

}  // namespace

int trace(Words words) {
  Wanted wanted;
  std::uint64_t seconds = 0;
  Arguments arguments(
      "gnomon trace CLIENT [options]",
      "Prints the packets of a client id as they come (>) and go (<), until it is stopped; also of "
      "one that is not connected yet. Payloads are not shown.",
      {"gnomon trace lamp-1", "gnomon trace lamp-1 --json -C 100"});
  arguments.text("CLIENT", "", "The client id", wanted.client);
  arguments.text("--admin", "HOST:PORT", "The server's admin listener; 127.0.0.1:8080",
                 wanted.admin);
  arguments.flag("--json", wanted.json, "Print JSON, an object a line");
  arguments.number("-C,--count", "N", "End after so many packets", wanted.count, 1,
                   1'000'000'000'000);
  arguments.number("-W,--timeout", "SECONDS", "End after so long", seconds, 1, 1'000'000'000);
  if (const auto code = arguments.read(words)) return *code;
  if (wanted.client.empty()) return arguments.misuse("CLIENT is missing: whose packets?");

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  pollfd stopped{signalfd(-1, &signals, SFD_CLOEXEC), POLLIN, 0};

  const auto begun = ask_json(wanted.admin, "POST", "/traces?client=" + encoded(wanted.client));
  if (!begun) return fail(begun.error().message);
  const std::string target = "/traces/" + std::string(begun->get("trace"));
  std::cerr << "gnomon trace: watching " << json_text(wanted.client)
            << (begun->get("connected") == "true" ? "" : ", which is not connected") << std::endl;
  std::uint64_t seen = 0;
  int code = exit_done;
  for (std::uint64_t looks = 1;; ++looks) {
    const bool last = poll(&stopped, 1, look_every_ms) > 0 ||
                      (seconds > 0 && looks * look_every_ms >= seconds * 1000);
    const auto answer = ask_json(wanted.admin, "GET", target);
    if (!answer) {
      code = fail(answer.error().message);
      break;
    }
    if (!print(wanted, *answer, seen) || last) break;
  }
  ::close(stopped.fd);
  if (code == exit_done) (void)ask(wanted.admin, "DELETE", target);
  return std::cout ? code : fail("standard output cannot be written");
}

}  // namespace gnomon::cli
