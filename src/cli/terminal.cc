#include "cli/terminal.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include "base/limits.h"
#include "store/durable_file.h"

namespace gnomon::cli {

namespace {

volatile std::sig_atomic_t caught = 0;
extern "C" void catch_signal(int signal) { caught = signal; }

// Waits for input, with signals as `open` has them meanwhile; false: a signal was caught. Only here
// are they let through, so that none comes unseen between the question and the wait.
bool wait_for(int fd, const sigset_t& open) {
  pollfd input{fd, POLLIN, 0};
  while (::ppoll(&input, 1, nullptr, &open) < 0) {
    if (errno != EINTR || caught != 0) return false;
  }
  return true;
}

// A line without its end. Byte by byte: what follows is not ours to take. `open`: see wait_for;
// null: signals do as they always do.
Result<std::string> line_of(int fd, const sigset_t* open) {
  std::string line;
  while (line.size() <= limits::password_bytes_max) {
    if (open != nullptr && !wait_for(fd, *open)) return Error{Code::unavailable, "interrupted"};
    char byte = 0;
    const ssize_t n = ::read(fd, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return store::io_error("read", "the password");
    if (n == 0 && line.empty()) return Error{Code::unavailable, "no password was given"};
    if (n == 0 || byte == '\n') {
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    line += byte;
  }
  return Error{Code::invalid,
               "a password has at most " + std::to_string(limits::password_bytes_max) + " bytes"};
}

// Silence: a terminal does not show what is typed as long as this lives; signals that would end the
// process end the reading first, so that the terminal is put back, and then the process.
class Silence {
 public:
  explicit Silence(int terminal) : terminal_(terminal) {
    caught = 0;
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int signal : signals) sigaddset(&blocked, signal);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &open_);
    struct sigaction action {};
    action.sa_handler = catch_signal;
    for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &action, &before_[i]);
    on_ = ::tcgetattr(terminal, &shown_) == 0;
    termios hidden = shown_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    hidden.c_lflag |= ECHONL;
    on_ = on_ && ::tcsetattr(terminal, TCSAFLUSH, &hidden) == 0;
  }
  ~Silence() {
    if (on_) ::tcsetattr(terminal_, TCSAFLUSH, &shown_);
    for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &before_[i], nullptr);
    if (caught != 0) ::raise(caught);
    ::pthread_sigmask(SIG_SETMASK, &open_, nullptr);  // now what came ends the process
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  [[nodiscard]] bool on() const { return on_; }
  [[nodiscard]] const sigset_t& open() const { return open_; }

 private:
  static constexpr std::array<int, 5> signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  const int terminal_;
  bool on_ = false;
  termios shown_{};
  sigset_t open_{};  // what was blocked before
  std::array<struct sigaction, signals.size()> before_{};
};

}  // namespace

bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

Result<std::string> ask_hidden(const std::string& question) {
  const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (terminal < 0) return store::io_error("ask on", "/dev/tty");
  const auto ask = [&]() -> Result<std::string> {
    const Silence silence(terminal);
    // Nothing is asked for that would be seen.
    if (!silence.on()) return store::io_error("hide what is typed on", "/dev/tty");
    if (::write(terminal, question.data(), question.size()) < 0)
      return store::io_error("ask on", "/dev/tty");
    return line_of(terminal, &silence.open());
  };
  auto line = ask();
  ::close(terminal);
  return line;
}

Result<std::string> read_line() { return line_of(STDIN_FILENO, nullptr); }

}  // namespace gnomon::cli
