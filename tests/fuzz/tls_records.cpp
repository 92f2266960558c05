// Any sequence of records from a peer that has the keys, and of bytes that are not records, in pieces of any size: what
// is read is what was sent, until the end or an error, and an error is permanent.
//
// The input is a list of operations: what to do, a size, and that many bytes.

#include "fuzz/check.hpp"
#include "net/tls/record_layer.hpp"

#include <tare/detail/frame_memory.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using fuzz::check;
using namespace tare::net::tls;

constexpr auto suite = cipher_suite::chacha20_poly1305_sha256;

/// The socket as the record layer sees it.
struct wire {
  std::deque<std::byte> in;
  std::size_t piece = 1;     ///< read at once
  std::size_t writable = 0;  ///< until it is full
  std::size_t written = 0;
};
wire* current = nullptr;

std::unexpected<std::error_code> would_block() {
  return std::unexpected(std::make_error_code(std::errc::operation_would_block));
}

}  // namespace

// Replaces the library's functions.
namespace tare::net::tls {

result<std::size_t> read_some(tare::detail::io_slot& /*slot*/, std::span<std::byte> into) noexcept {
  const std::size_t got = std::min({into.size(), current->piece, current->in.size()});
  check(!into.empty());
  if (got == 0) return would_block();
  std::copy_n(current->in.begin(), got, into.begin());
  current->in.erase(current->in.begin(), current->in.begin() + static_cast<std::ptrdiff_t>(got));
  return got;
}

result<std::size_t> write_some(tare::detail::io_slot& /*slot*/, std::span<const std::byte> bytes) noexcept {
  const std::size_t gone = std::min(bytes.size(), current->writable);
  if (gone == 0) return would_block();
  current->writable -= gone;
  current->written += gone;
  return gone;
}

result<std::size_t> write_kernel_record(tare::detail::io_slot& /*slot*/, std::uint8_t /*type*/,
                                        std::span<const std::byte> /*bytes*/) noexcept {
  return would_block();
}

}  // namespace tare::net::tls

namespace {

/// Reads everything that has arrived; false if there will be no more.
bool read_all(record_layer& reader, std::vector<std::byte>& read) {
  for (;;) {
    wanted next{};
    const auto there = reader.available(next);
    if (!there) {
      wanted again{};
      const auto repeated = reader.available(again);
      check(!repeated && repeated.error() == there.error());
      return false;
    }
    if (next != wanted::nothing) {
      check(next == wanted::readable && current->in.empty());
      return true;
    }
    if (*there == 0) return false;
    std::array<std::byte, 700> into{};
    const std::size_t taken = reader.take(into);
    check(taken == std::min(*there, into.size()));
    read.insert(read.end(), into.begin(), into.begin() + static_cast<std::ptrdiff_t>(taken));
  }
}

void set_up(traffic_keys& keys, std::uint8_t letter) {
  const std::array<std::uint8_t, 32> secret{letter};
  check(keys.set_secret(secret));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static void* const slot = tare::detail::allocate_record(64);
  if (size < 2) return 0;
  wire line;
  current = &line;
  line.piece = data[0] + std::size_t{1};
  const bool is_server = data[1] % 2 == 0;
  std::span input(data + 2, size - 2);

  record_layer reader(tare::detail::to_link(slot), is_server);
  set_up(reader.receiving(), 's');
  set_up(reader.sending(), 'r');
  check(reader.start(suite));
  traffic_keys sender;
  set_up(sender, 's');
  check(sender.derive(suite));

  std::vector<std::byte> sent;
  std::vector<std::byte> read;
  std::vector<std::byte> record(traffic_keys::max_record_bytes);
  bool goes_on = true;
  while (input.size() >= 3 && goes_on) {
    const unsigned what = input[0];
    const std::size_t bytes = std::min<std::size_t>(input[1] * 256U + input[2], traffic_keys::max_plain_bytes);
    input = input.subspan(3);
    // Zeros beyond the end of the input.
    std::vector<std::byte> plain(bytes);
    const std::size_t given = std::min(bytes, input.size());
    std::ranges::transform(input.first(given), plain.begin(), [](std::uint8_t each) { return std::byte{each}; });
    input = input.subspan(given);
    const auto seal = [&](content_type type) {
      const std::size_t sealed = sender.seal(suite, type, plain, record);
      check(sealed == bytes + traffic_keys::overhead_bytes);
      line.in.insert(line.in.end(), record.begin(), record.begin() + static_cast<std::ptrdiff_t>(sealed));
    };
    switch (what % 8) {
      case 0:
      case 1:
        seal(content_type::application_data);
        sent.insert(sent.end(), plain.begin(), plain.end());
        break;
      case 2:
        seal(content_type::handshake);
        break;
      case 3:
        plain = {std::byte{24}, std::byte{0}, std::byte{0}, std::byte{1},
                 std::byte{static_cast<std::uint8_t>(bytes % 2)}};
        check(sender.seal(suite, content_type::handshake, plain, record) == 5 + traffic_keys::overhead_bytes);
        line.in.insert(line.in.end(), record.begin(), record.begin() + 5 + traffic_keys::overhead_bytes);
        check(sender.update(suite));
        break;
      case 4:
        seal(content_type::alert);
        break;
      case 5:
        line.in.insert(line.in.end(), plain.begin(), plain.end());
        break;
      case 7: {
        const auto type = static_cast<content_type>(what + 1);
        seal(type);
        // A type of 0 is padding: the type is then the last byte that is not 0 (RFC 8446, 5.4).
        const auto last =
            std::find_if(plain.rbegin(), plain.rend(), [](std::byte each) { return each != std::byte{0}; });
        if (type == content_type::none && last != plain.rend() &&
            *last == static_cast<std::byte>(content_type::application_data)) {
          sent.insert(sent.end(), plain.begin(), std::prev(last.base()));
        }
        break;
      }
      default: {
        line.writable += bytes;
        wanted next{};
        const auto written = reader.write(plain, next);
        if (written && next == wanted::nothing) check(*written <= plain.size());
        check(next != wanted::readable);
        break;
      }
    }
    goes_on = read_all(reader, read);
  }
  wanted next{};
  line.writable += 100;
  (void)reader.send_close_notify(next);
  check(read.size() <= sent.size() && std::equal(read.begin(), read.end(), sent.begin()));
  return 0;
}
