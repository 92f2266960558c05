#include "net/tls/extensions.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace tare::net::tls {

namespace {

// Numbers from the IANA registry.
constexpr unsigned server_name = 0;
constexpr unsigned supported_groups = 10;
constexpr unsigned application_layer_protocol_negotiation = 16;

constexpr std::array known{server_name, supported_groups, application_layer_protocol_negotiation};

unsigned number_at(std::span<const std::uint8_t> bytes, std::size_t position) noexcept {
  return static_cast<unsigned>(bytes[position]) << 8U | bytes[position + 1];
}

}  // namespace

bool leave_records_alone(std::span<const std::uint8_t> encrypted_extensions) noexcept {
  constexpr std::size_t head_bytes = 4 + 2;  // type and size of the message, size of the list
  if (encrypted_extensions.size() < head_bytes) return false;
  if (number_at(encrypted_extensions, head_bytes - 2) != encrypted_extensions.size() - head_bytes) return false;
  auto left = encrypted_extensions.subspan(head_bytes);
  while (left.size() >= 4) {
    const std::size_t size = 4 + std::size_t{number_at(left, 2)};
    if (std::ranges::find(known, number_at(left, 0)) == known.end() || size > left.size()) return false;
    left = left.subspan(size);
  }
  return left.empty();
}

}  // namespace tare::net::tls
