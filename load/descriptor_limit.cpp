#include "load/descriptor_limit.hpp"

#include <fmt/format.h>

#include <sys/resource.h>

#include <cerrno>

namespace tare::load {

base::result<void> raise_descriptor_limit(std::uint64_t connections) {
  constexpr std::uint64_t others = 64;  // pipes, the poller, libraries
  const std::uint64_t wanted = connections + others;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return base::system_error("cannot read the descriptor limit", errno);
  if (limit.rlim_cur >= wanted) return {};
  if (limit.rlim_max < wanted) {
    return base::input_error(fmt::format(
        "{} connections need {} descriptors, and the hard limit is {}: raise it with ulimit -Hn as root, or "
        "use fewer",
        connections, wanted, limit.rlim_max));
  }
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return base::system_error("cannot raise the descriptor limit", errno);
  return {};
}

}  // namespace tare::load
