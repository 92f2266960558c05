#include "cli/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace tare::cli {

void complain(std::string_view message) { fmt::print(stderr, "tare: {}\n", message); }

int complain(const base::error& what) {
  complain(what.message);
  switch (what.kind) {
    case base::fault::input:
      return bad_usage;
    case base::fault::interrupted:
      return stopped;
    case base::fault::command:
    case base::fault::system:
      return failed;
  }
  return failed;
}

int finish_output(int status) {
  const bool failed_before = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !failed_before) return status;
  complain(fmt::format("cannot write to standard output: {}", std::generic_category().message(errno)));
  return status == done ? failed : status;
}

}  // namespace tare::cli
