#include "cli/output_file.hpp"

#include "cli/error.hpp"

#include <fmt/format.h>

#include <stdio_ext.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tare::cli {

namespace fs = std::filesystem;

base::result<output_file> output_file::open(const std::string& path) {
  if (path == "-") return standard_output();
  std::error_code ignored;
  // A symbolic link is kept: its target is replaced.
  fs::path target = fs::weakly_canonical(path, ignored);
  if (target.empty()) target = path;
  const fs::file_status status = fs::status(target, ignored);
  if (fs::is_directory(status)) return base::input_error(fmt::format("cannot write {}: it is a folder", path));
  fs::path draft;
  if (!fs::exists(status) || fs::is_regular_file(status)) {
    draft = target;
    draft += fmt::format(".{}.tmp", ::getpid());
  }
  std::FILE* file = std::fopen(draft.empty() ? target.c_str() : draft.c_str(), "we");
  if (file == nullptr) return base::system_error(fmt::format("cannot write {}", path), errno);
  return output_file(std::move(target), std::move(draft), file);
}

base::result<std::optional<output_file>> output_file::open_if_named(const std::string& path) {
  if (path.empty()) return std::nullopt;
  auto opened = open(path);
  if (!opened) return std::unexpected(opened.error());
  return std::optional<output_file>(std::move(*opened));
}

output_file::~output_file() {
  if (file_ == nullptr || draft_.empty()) return;
  std::error_code ignored;
  fs::remove(draft_, ignored);
}

base::result<void> output_file::write(std::string_view text) {
  if (file_ == nullptr) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return {};
    const int error = errno;
    // Reported here, so finish_output() must not report it again.
    ::__fpurge(stdout);
    std::clearerr(stdout);
    return base::system_error("cannot write to standard output", error);
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
  int error = errno;
  const bool closed = std::fclose(file_.release()) == 0;
  if (written && !closed) error = errno;
  std::error_code failed(written && closed ? 0 : error, std::generic_category());
  if (!failed && !draft_.empty()) fs::rename(draft_, target_, failed);
  if (!failed) return {};
  std::error_code ignored;
  if (!draft_.empty()) fs::remove(draft_, ignored);
  return base::system_error(fmt::format("cannot write {}", target_.string()), failed.value());
}

int show(std::string_view text) {
  auto screen = output_file::standard_output();
  if (const auto written = screen.write(text); !written) return complain(written.error());
  return finish_output(done);
}

}  // namespace tare::cli
