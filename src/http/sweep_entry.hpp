#pragma once

#include <tare/detail/link.hpp>

#include <cstdint>

namespace tare::http::detail {

/// What the server's sweep keeps in each request in progress.
struct sweep_entry {
  // In the server's list of requests in progress.
  tare::detail::link next = tare::detail::no_link;
  tare::detail::link previous = tare::detail::no_link;
  std::uint32_t moved = 0;  ///< the sweep during which bytes were last received or sent
  std::uint32_t began = 0;  ///< the sweep during which the handler began
};

}  // namespace tare::http::detail
