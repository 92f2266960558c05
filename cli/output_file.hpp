#pragma once

#include "base/error.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tare::cli {

/// A file for the result of a long measurement. It is opened before the measurement, so that a wrong path is reported
/// at once, and replaces an older file only when it is complete.
class output_file {
 public:
  /// "-" is standard output.
  [[nodiscard]] static base::result<output_file> open(const std::string& path);
  /// Empty for an empty path: the file was not requested.
  [[nodiscard]] static base::result<std::optional<output_file>> open_if_named(const std::string& path);
  [[nodiscard]] static output_file standard_output() { return {{}, {}, nullptr}; }

  output_file(output_file&&) noexcept = default;
  output_file& operator=(output_file&&) = delete;
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file();

  [[nodiscard]] bool is_standard_output() const noexcept { return file_ == nullptr; }
  [[nodiscard]] base::result<void> write(std::string_view text);

 private:
  struct closer {
    void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
  };
  output_file(std::filesystem::path target, std::filesystem::path draft, std::FILE* file)
      : target_(std::move(target)), draft_(std::move(draft)), file_(file) {}

  std::filesystem::path target_;
  std::filesystem::path draft_;  ///< empty if the target is not a regular file
  std::unique_ptr<std::FILE, closer> file_;
};

/// Writes to standard output, and returns the exit status.
[[nodiscard]] int show(std::string_view text);

}  // namespace tare::cli
