#include "measure/process/listen.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace tare::measure {
namespace {

enum class reading { more, nothing, closed };

/// Reads one piece of a non-blocking pipe and passes it on.
template <class Take>
reading read_piece(int pipe, Take&& take) {
  std::array<char, 65536> piece;
  const ssize_t length = ::read(pipe, piece.data(), piece.size());
  if (length > 0) {
    take(std::string_view(piece.data(), static_cast<std::size_t>(length)));
    return reading::more;
  }
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return reading::nothing;
  return reading::closed;
}

/// The timeout for poll(), rounded up so that it does not return slightly too early and spin.
int milliseconds_until(process::clock::time_point deadline) {
  using std::chrono::milliseconds;
  constexpr milliseconds longest = std::chrono::hours(1);
  const auto left = std::chrono::ceil<milliseconds>(deadline - process::clock::now());
  return static_cast<int>(std::clamp(left, milliseconds(0), longest).count());
}

}  // namespace

base::result<heard> listen(const process& speaker, process::clock::time_point deadline, stop_signal stop,
                           const std::function<bool(std::string_view)>& enough) {
  heard so_far;
  const auto take_output = [&](std::string_view bytes) { so_far.enough = enough(bytes) || so_far.enough; };
  const auto take_errors = [&](std::string_view bytes) { so_far.errors.feed(bytes); };

  enum : std::size_t { output, errors, report, stopped };
  std::array<pollfd, 4> watched = {{{speaker.output().get(), POLLIN, 0},
                                    {speaker.errors().get(), POLLIN, 0},
                                    {speaker.exit_report().get(), POLLIN, 0},
                                    {stop, POLLIN, 0}}};
  while (true) {
    const int ready = ::poll(watched.data(), watched.size(), milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) return base::system_error("cannot wait for a process", errno);
    if (ready > 0) {
      if (watched[stopped].revents != 0) return base::interrupted_error();
      if (watched[output].revents != 0 && read_piece(watched[output].fd, take_output) == reading::closed) {
        so_far.output_closed = true;
        watched[output].fd = -1;
      }
      if (watched[errors].revents != 0 && read_piece(watched[errors].fd, take_errors) == reading::closed)
        watched[errors].fd = -1;
      if (watched[report].revents != 0) break;
    }
    // Checked in every round, not only when nothing arrived, because a process may write endlessly.
    if (so_far.enough || process::clock::now() >= deadline) return so_far;
  }

  int status = 0;
  if (::read(watched[report].fd, &status, sizeof status) != static_cast<ssize_t>(sizeof status))
    return base::system_error("the supervisor of a process has ended", ECHILD);
  so_far.ended = process_exit(status);
  // A pipe holds 1 MiB at most unless its owner is privileged; a descendant that continues to write must not block us.
  constexpr int pieces = 16;
  for (int i = 0; i < pieces && watched[output].fd >= 0; ++i)
    if (read_piece(watched[output].fd, take_output) != reading::more) break;
  for (int i = 0; i < pieces && watched[errors].fd >= 0; ++i)
    if (read_piece(watched[errors].fd, take_errors) != reading::more) break;
  return so_far;
}

}  // namespace tare::measure
