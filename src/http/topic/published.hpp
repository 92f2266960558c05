#pragma once

// What a topic has published, as bytes for the connections of one kind. Shared by the topic and by the connections that
// have sent a part of it.

#include <tare/memory_budget.hpp>

#include <memory>
#include <string>

namespace tare::http::detail {

struct published {
  std::string text;
  memory_share share;  ///< of the budget, for the text
};
using published_text = std::shared_ptr<const published>;

}  // namespace tare::http::detail
