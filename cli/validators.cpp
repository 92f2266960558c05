#include "cli/validators.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

namespace tare::cli {

CLI::Validator a_number_of(std::string what) {
  return {[what = std::move(what)](const std::string& text) -> std::string {
            std::uint64_t n = 0;
            const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
            if (wrong == std::errc{} && end == text.data() + text.size()) return {};
            return fmt::format("'{}' is no number of {}", text, what);
          },
          ""};
}

CLI::Validator seconds() {
  return {[](const std::string& text) -> std::string {
            constexpr double most = 1e6;
            double value = 0;
            const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (wrong == std::errc{} && end == text.data() + text.size() && value > 0 && value <= most) return {};
            return fmt::format("'{}' is no time: seconds, above 0, at most {}", text, most);
          },
          ""};
}

}  // namespace tare::cli
