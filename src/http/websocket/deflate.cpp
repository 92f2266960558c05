#include "http/websocket/deflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

namespace tare::http::detail {

namespace {

constexpr int max_window_bits = 15;
// The level and the memory of the compressor: a message is compressed while all other tasks wait.
constexpr int level = Z_BEST_SPEED;
constexpr int memory_level = 5;
// Of the buffer that is kept for the next message.
constexpr std::size_t max_spare_bytes = 64U << 10U;
// What ends every flushed block, and is not sent (section 7.2.1).
constexpr std::string_view tail("\0\0\xff\xff", 4);
// zlib's data_type after a block.
constexpr int is_between_blocks = 128;

void* allocate(void* /*unused*/, uInt count, uInt size) {
  return ::operator new(std::size_t{count} * size, std::nothrow);
}
void release(void* /*unused*/, void* memory) { ::operator delete(memory); }

std::unique_ptr<z_stream> new_stream() {
  auto made = std::make_unique<z_stream>();
  *made = {};
  made->zalloc = &allocate;
  made->zfree = &release;
  return made;
}

/// Empty if memory is short.
std::unique_ptr<z_stream, end_deflate> new_deflater() {
  auto made = new_stream();
  // A negative number of bits: without a header.
  if (::deflateInit2(made.get(), level, Z_DEFLATED, -message_codec::window_bits, memory_level, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return {};
  }
  return std::unique_ptr<z_stream, end_deflate>(made.release());
}

/// Throws std::bad_alloc.
std::unique_ptr<z_stream, end_inflate> new_inflater() {
  auto made = new_stream();
  if (::inflateInit2(made.get(), -max_window_bits) != Z_OK) throw std::bad_alloc();
  return std::unique_ptr<z_stream, end_inflate>(made.release());
}

// zlib does not write there.
Bytef* input_of(std::string_view text) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

uInt at_most(std::size_t bytes) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
}

/// Where decompressed bytes go: a string that grows, but not beyond one byte more than the limit.
class growing_output {
 public:
  growing_output(std::string& to, std::size_t max_bytes, const message_codec::admission& admit)
      : to_(to), limit_(max_bytes + 1), admit_(admit) {}

  /// More room for `stream`. False if it is not admitted.
  [[nodiscard]] bool grow(z_stream& stream, std::size_t first) {
    take(stream);
    const std::size_t next = std::min(limit_, std::max(first, 2 * to_.size()));
    // The old and the new string exist at the same time; so do the message and its copy at the end.
    if (!admit_(2 * next)) return false;
    to_.resize(next);
    stream.next_out = reinterpret_cast<Bytef*>(to_.data() + used_);
    stream.avail_out = given_ = at_most(next - used_);
    return true;
  }
  void take(const z_stream& stream) noexcept {
    used_ += given_ - stream.avail_out;
    given_ = stream.avail_out;
  }
  [[nodiscard]] bool is_full() const noexcept { return used_ == limit_; }
  void finish() { to_.resize(used_); }

 private:
  std::string& to_;
  std::size_t limit_;
  const message_codec::admission& admit_;
  std::size_t used_ = 0;
  uInt given_ = 0;
};

}  // namespace

void end_deflate::operator()(z_stream* ended) const noexcept {
  (void)::deflateEnd(ended);
  delete ended;  // NOLINT(cppcoreguidelines-owning-memory): owned by a unique_ptr
}

void end_inflate::operator()(z_stream* ended) const noexcept {
  (void)::inflateEnd(ended);
  delete ended;  // NOLINT(cppcoreguidelines-owning-memory): owned by a unique_ptr
}

message_codec::message_codec() noexcept = default;
message_codec::~message_codec() = default;

// --- compressing ----------------------------------------------------------------------------------------------------

bool message_codec::ready_to_compress() {
  if (deflating_) return ::deflateReset(deflating_.get()) == Z_OK;
  deflating_ = new_deflater();
  return deflating_ != nullptr;
}

bool message_codec::compress_into(std::string& to, std::string_view message) noexcept {
  try {
    if (!ready_to_compress()) return false;
    if (to.capacity() > std::max(max_spare_bytes, message.size())) std::string().swap(to);
    // What does not fit is not smaller.
    to.resize(message.size() + tail.size() - 1);
  } catch (const std::bad_alloc&) {
    return false;
  }
  z_stream& stream = *deflating_;
  stream.next_in = input_of(message);
  stream.avail_in = at_most(message.size());
  stream.next_out = reinterpret_cast<Bytef*>(to.data());
  stream.avail_out = at_most(to.size());
  // A flush is complete if it leaves room.
  if (::deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_in != 0 || stream.avail_out == 0) return false;
  to.resize(to.size() - stream.avail_out);
  if (!to.ends_with(tail)) return false;
  to.resize(to.size() - tail.size());
  return true;
}

std::string_view message_codec::compress(std::string_view message) noexcept {
  if (message.empty() || message.size() > max_compressed_bytes || !compress_into(compressed_, message)) return {};
  return compressed_;
}

// --- decompressing --------------------------------------------------------------------------------------------------

void message_codec::ready_to_decompress() {
  if (inflating_) {
    (void)::inflateReset(inflating_.get());
    return;
  }
  inflating_ = new_inflater();
}

message_codec::outcome message_codec::decompress(std::string_view compressed, std::size_t max_bytes, std::string& to,
                                                 const admission& admit) {
  constexpr std::size_t least_bytes = 256;
  to.clear();
  if (compressed.empty()) return outcome::complete;  // some leave out the one byte of an empty message
  ready_to_decompress();
  z_stream& stream = *inflating_;
  growing_output output(to, max_bytes, admit);
  stream.next_out = nullptr;
  stream.avail_out = 0;
  bool has_ended = false;
  for (std::string_view part : {compressed, tail}) {
    while (!part.empty()) {
      if (stream.avail_out == 0 && !output.grow(stream, std::max(least_bytes, 2 * compressed.size()))) {
        return outcome::no_room;
      }
      stream.next_in = input_of(part);
      stream.avail_in = at_most(part.size());
      const uInt given = stream.avail_in;
      if (has_ended) (void)::inflateReset(&stream);
      const int result = ::inflate(&stream, Z_NO_FLUSH);
      part.remove_prefix(given - stream.avail_in);
      output.take(stream);
      if (output.is_full()) return outcome::too_large;
      if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) {
        if (result == Z_MEM_ERROR) throw std::bad_alloc();
        return outcome::malformed;
      }
      has_ended = result == Z_STREAM_END;
    }
    if (has_ended) break;  // a last block has no tail
  }
  // Output may be left in the stream although all input is consumed.
  while (!has_ended && stream.avail_out == 0) {
    if (!output.grow(stream, least_bytes)) return outcome::no_room;
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    output.take(stream);
    if (output.is_full()) return outcome::too_large;
    if (result == Z_BUF_ERROR) break;
    if (result != Z_OK) return outcome::malformed;
  }
  if (!has_ended && (stream.data_type & is_between_blocks) == 0) return outcome::malformed;
  output.finish();
  return outcome::complete;
}

// --- piece by piece -------------------------------------------------------------------------------------------------

message_inflater::message_inflater() : stream_(new_inflater()) {}

void message_inflater::add(std::string compressed, bool is_last) noexcept {
  is_empty_ = is_empty_ && compressed.empty();
  input_ = std::move(compressed);
  at_ = 0;
  has_all_ = is_last;
}

bool message_inflater::inflate_input() {
  z_stream& stream = *stream_;
  while (stream.avail_out != 0) {
    // A last block has no tail. zlib says whether the block was the last one only when it has returned all output.
    if (at_ == input_.size() && has_all_ && !has_tail_ && !has_ended_ && !is_empty_ && !is_full_) {
      has_tail_ = true;
      input_ = tail;
      at_ = 0;
    }
    if (at_ == input_.size() && !is_full_) break;
    if (has_ended_) (void)::inflateReset(&stream);
    stream.next_in = input_of(std::string_view(input_).substr(at_));
    stream.avail_in = at_most(input_.size() - at_);
    const uInt given = stream.avail_in;
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    at_ += given - stream.avail_in;
    has_ended_ = result == Z_STREAM_END;
    is_full_ = stream.avail_out == 0 && !has_ended_;
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result == Z_BUF_ERROR && at_ == input_.size()) continue;
    if (result != Z_OK && result != Z_STREAM_END) return false;
  }
  return true;
}

message_inflater::outcome message_inflater::end() const noexcept {
  const bool is_complete = is_empty_ || has_ended_ || (stream_->data_type & is_between_blocks) != 0;
  return is_complete ? outcome::last : outcome::malformed;
}

message_inflater::outcome message_inflater::next(std::string& to, std::size_t max_bytes) {
  to.resize(max_bytes);
  stream_->next_out = reinterpret_cast<Bytef*>(to.data());
  stream_->avail_out = at_most(max_bytes);
  if (!inflate_input()) return outcome::malformed;
  to.resize(max_bytes - stream_->avail_out);
  if (!has_all_ || at_ != input_.size() || is_full_) return outcome::some;
  if (!has_tail_ && !has_ended_ && !is_empty_) return outcome::some;
  return end();
}

message_deflater::message_deflater() : stream_(new_deflater()) {
  if (!stream_) throw std::bad_alloc();
}

void message_deflater::compress(std::string_view piece, bool is_last, std::string& to) {
  const std::size_t begin = to.size();
  z_stream& stream = *stream_;
  stream.next_in = input_of(piece);
  stream.avail_in = at_most(piece.size());
  std::size_t used = begin;
  to.resize(begin + piece.size() + max_growth_bytes);
  do {
    if (used == to.size()) to.resize(2 * to.size());
    stream.next_out = reinterpret_cast<Bytef*>(to.data() + used);
    stream.avail_out = at_most(to.size() - used);
    (void)::deflate(&stream, Z_SYNC_FLUSH);  // Z_BUF_ERROR: nothing is left to flush
    used = to.size() - stream.avail_out;
  } while (stream.avail_out == 0);
  to.resize(used);
  if (!is_last) return;
  // A flushed block's end is not sent. If everything has been flushed before, an empty block is (section 7.2.3.6).
  if (used - begin >= tail.size()) {
    to.resize(used - tail.size());
  } else {
    to += '\0';
  }
}

}  // namespace tare::http::detail
