#include "state_folder.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace service {

namespace {

constexpr mode_t for_this_user = 0700;

/// The value of an environment variable if it is an absolute path; other values must be ignored.
std::filesystem::path folder_in(const char* variable) {
  const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): there is only one thread yet
  std::filesystem::path path(value == nullptr ? "" : value);
  return path.is_absolute() ? path : std::filesystem::path();
}

}  // namespace

std::expected<std::filesystem::path, std::string> make_state_folder() {
  std::filesystem::path state = folder_in("XDG_STATE_HOME");
  if (state.empty()) {
    const std::filesystem::path home = folder_in("HOME");
    if (home.empty()) {
      return std::unexpected("neither XDG_STATE_HOME nor HOME is the absolute path of a folder to store the items in");
    }
    state = home / ".local" / "state";
  }
  std::filesystem::path folder = state / "tare";
  std::filesystem::path made;
  for (const auto& name : folder) {
    made /= name;
    if (::mkdir(made.c_str(), for_this_user) == 0) continue;
    const int failure = errno;
    std::error_code unknown;
    if (std::filesystem::is_directory(made, unknown))
      continue;  // mkdir reports an existing folder in different ways, for example on a read-only file system
    const auto why = std::generic_category().message(failure);
    return std::unexpected("cannot create the folder " + made.string() + ": " + why);
  }
  return folder;
}

}  // namespace service
