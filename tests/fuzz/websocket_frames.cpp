// Any input, in pieces of any size, consists of frames that satisfy their invariants, or fails with a code to close
// with; the sizes of the pieces make no difference. The first byte selects the sizes, which side reads, and whether
// messages may be compressed.

#include "fuzz/check.hpp"
#include "http/websocket/frame.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using fuzz::check;
using tare::http::detail::frame_reader;
using tare::http::detail::is_valid_close_code;
using tare::http::detail::utf8_check;

constexpr std::size_t max_bytes = 300;

bool is_utf8(std::string_view text) {
  utf8_check whole;
  return whole.feed(text) && whole.complete();
}

std::string read(std::span<const std::uint8_t> input, std::size_t piece_size, frame_reader::role role,
                 bool compresses) {
  std::vector<std::byte> bytes;
  for (const std::uint8_t byte : input) bytes.push_back(std::byte{byte});
  frame_reader reader(role, max_bytes, compresses);
  std::string seen;
  std::span<std::byte> rest = bytes;
  while (!rest.empty()) {
    std::span<std::byte> piece = rest.first(std::min(piece_size, rest.size()));
    rest = rest.subspan(piece.size());
    while (!piece.empty()) {
      const auto reached = reader.feed(piece);
      piece = piece.subspan(reader.consumed());
      switch (reached) {
        case frame_reader::progress::incomplete:
          check(piece.empty());
          break;
        case frame_reader::progress::message: {
          const bool text = reader.is_text();
          const bool compressed = reader.is_compressed();
          check(compresses || !compressed);
          const std::string message = reader.take_message();
          check(message.size() <= max_bytes + (compressed ? 64 : 0) && (!text || compressed || is_utf8(message)));
          seen += (text ? "text " : "binary ") + message + "\n";
          break;
        }
        case frame_reader::progress::ping:
        case frame_reader::progress::pong:
          check(reader.control().size() <= 125);
          seen += "control " + std::string(reader.control()) + "\n";
          break;
        case frame_reader::progress::close:
          check(reader.code() == 1005 || is_valid_close_code(reader.code()));
          check(is_utf8(reader.control()));
          return seen + "close " + std::to_string(reader.code());
        case frame_reader::progress::failed:
          return seen + "failed " + std::to_string(static_cast<unsigned>(reader.failure()));
      }
    }
  }
  return seen;
}

/// Takes what has arrived of a message after each call, so that a message may be of any length.
std::string read_in_pieces(std::span<const std::uint8_t> input, std::size_t piece_size, frame_reader::role role) {
  std::vector<std::byte> bytes;
  for (const std::uint8_t byte : input) bytes.push_back(std::byte{byte});
  frame_reader reader(role, 0, true);
  std::string seen;
  std::string message;
  std::span<std::byte> rest = bytes;
  while (!rest.empty()) {
    const std::span<std::byte> piece = rest.first(std::min(piece_size, rest.size()));
    const auto reached = reader.feed(piece, false);
    rest = rest.subspan(reader.consumed());
    check(reader.message().size() <= piece.size());
    message += reader.take_message();
    if (reached == frame_reader::progress::failed) return seen + "failed";
    if (reached != frame_reader::progress::message) continue;
    check(!reader.is_text() || reader.is_compressed() || is_utf8(message));
    seen += std::exchange(message, {}) + "\n";
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  if (size == 0) return 0;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  const auto role = (data[0] & 0x80U) != 0 ? frame_reader::role::client : frame_reader::role::server;
  const bool compresses = (data[0] & 0x40U) != 0;
  check(read(bytes, (data[0] & 0x3FU) + 1U, role, compresses) == read(bytes, bytes.size() + 1, role, compresses));
  check(read_in_pieces(bytes, (data[0] & 0x3FU) + 1U, role) == read_in_pieces(bytes, bytes.size() + 1, role));
  return 0;
}
