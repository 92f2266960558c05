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

/// What a record of this type is for the reader: an inner type of 0 is padding, and the type is then the last byte that
/// is not 0 (RFC 8446, 5.4).
std::span<const std::byte> application_data_in(content_type type, std::span<const std::byte> plain) {
  if (type == content_type::application_data) return plain;
  if (type != content_type::none) return {};
  while (!plain.empty() && plain.back() == std::byte{0}) plain = plain.first(plain.size() - 1);
  if (plain.empty() || plain.back() != static_cast<std::byte>(content_type::application_data)) return {};
  return plain.first(plain.size() - 1);
}

/// The other side, which has the keys.
class peer {
 public:
  explicit peer(wire& line) : line_(&line) {
    set_up(keys_, 's');
    check(keys_.derive(suite));
  }

  /// What the reader may get, in this order.
  [[nodiscard]] const std::vector<std::byte>& sent() const { return sent_; }

  void send(content_type type, std::span<const std::byte> plain) {
    const std::size_t sealed = keys_.seal(suite, type, plain, record_);
    check(sealed == plain.size() + traffic_keys::overhead_bytes);
    send_raw(std::span(record_).first(sealed));
    const auto data = application_data_in(type, plain);
    sent_.insert(sent_.end(), data.begin(), data.end());
  }

  void send_raw(std::span<const std::byte> bytes) { line_->in.insert(line_->in.end(), bytes.begin(), bytes.end()); }

  void update_keys(bool also_the_readers) {
    send(content_type::handshake, std::array{std::byte{24}, std::byte{0}, std::byte{0}, std::byte{1},
                                             std::byte{also_the_readers ? std::uint8_t{1} : std::uint8_t{0}}});
    check(keys_.update(suite));
  }

 private:
  wire* line_;
  traffic_keys keys_;
  std::vector<std::byte> sent_;
  std::vector<std::byte> record_ = std::vector<std::byte>(traffic_keys::max_record_bytes);
};

void write(record_layer& writer, wire& line, std::span<const std::byte> plain) {
  line.writable += plain.size();
  wanted next{};
  const auto written = writer.write(plain, next);
  if (written && next == wanted::nothing) check(*written <= plain.size());
  check(next != wanted::readable);
}

void perform(unsigned what, std::span<const std::byte> plain, peer& sender, record_layer& reader, wire& line) {
  switch (what % 8) {
    case 0:
    case 1:
      return sender.send(content_type::application_data, plain);
    case 2:
      return sender.send(content_type::handshake, plain);
    case 3:
      return sender.update_keys(plain.size() % 2 != 0);
    case 4:
      return sender.send(content_type::alert, plain);
    case 5:
      return sender.send_raw(plain);
    case 7:
      return sender.send(static_cast<content_type>(what + 1), plain);
    default:
      return write(reader, line, plain);
  }
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
  peer sender(line);

  std::vector<std::byte> read;
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
    perform(what, plain, sender, reader, line);
    goes_on = read_all(reader, read);
  }
  wanted next{};
  line.writable += 100;
  (void)reader.send_close_notify(next);
  const auto& sent = sender.sent();
  check(read.size() <= sent.size() && std::equal(read.begin(), read.end(), sent.begin()));
  return 0;
}
