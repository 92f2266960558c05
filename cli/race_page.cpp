#include "cli/race_page.hpp"

#include "cli/pages.hpp"

namespace tare::cli {

std::optional<std::string> race_page(const measure::race_results& results, std::string_view empty_page) {
  return filled_page(empty_page, "\"@RESULTS@\"", measure::to_json(results));
}

}  // namespace tare::cli
