// Receiving a message in pieces: each as soon as it has arrived, whatever the length of the message.

#include "http/lasting/lasting.hpp"

#include <memory>
#include <utility>

namespace tare::http::detail {

namespace {

constexpr std::size_t max_piece_bytes = 16U << 10U;  // of what is decompressed

}  // namespace

std::optional<bool> lasting::deliver_piece(lasting_work& from) {
  if (from.arriving == arrival::dropped) return std::nullopt;
  const bool has_some = !from.reader.message().empty();
  if (from.inflating || from.is_packed || (has_some && from.reader.is_compressed())) return deliver_inflated(from);
  if (!has_some) return std::nullopt;
  from.arriving = arrival::pieces;
  return deliver_data(from.reader.take_message(), from.reader.is_text(), false);
}

std::optional<bool> lasting::end_pieces(lasting_work& from) {
  if (from.reader.is_compressed()) {
    from.is_packed = true;
    return std::nullopt;
  }
  from.arriving = arrival::whole;
  return deliver_data(from.reader.take_message(), from.reader.is_text());
}

std::optional<bool> lasting::deliver_inflated(lasting_work& from) {
  // What is made is copied once more.
  const std::size_t made = (from.inflating ? 0 : message_inflater::state_bytes) + 2 * max_piece_bytes;
  if (!hold(held_now() + made)) return wait_for_room();
  from.waiting_since = 0;
  if (!from.inflating) from.inflating = std::make_unique<message_inflater>();
  std::string data;
  for (;;) {
    message_inflater& inflating = *from.inflating;
    if (inflating.needs_input()) {
      if (from.reader.message().empty() && !from.is_packed) return std::nullopt;
      inflating.add(from.reader.take_message(), from.is_packed);
      from.is_packed = false;
    }
    const auto outcome = inflating.next(data, max_piece_bytes);
    const bool is_last = outcome == message_inflater::outcome::last;
    if (outcome == message_inflater::outcome::malformed) return fail(close_code::protocol_error, errc::bad_frame);
    if (from.reader.is_text() && !(inflating.text.feed(data) && (!is_last || inflating.text.complete()))) {
      return fail(close_code::bad_text, errc::bad_text);
    }
    from.arriving = is_last ? arrival::whole : arrival::pieces;
    if (is_last) from.inflating.reset();
    if (is_last || !data.empty()) return deliver_data(data, from.reader.is_text(), is_last);
  }
}

void lasting::drop_rest(lasting_work& of) noexcept {
  const bool has_arrived = of.is_packed || !of.reader.is_in_message();
  of.arriving = has_arrived ? arrival::whole : arrival::dropped;
  of.is_packed = false;
  of.inflating.reset();
  (void)of.reader.take_message();
  (void)hold(std::min<std::size_t>(of_.held_bytes_, held_now()));
  settle();
}

void lasting::drop_arriving() noexcept {
  if (lasting_work* const now = work(); now != nullptr) {
    now->input.release();
    now->waiting_since = 0;
    now->is_shed = false;
    now->is_packed = false;
    now->arriving = arrival::whole;
    now->inflating.reset();
    now->reader = frame_reader(role(), 0);
  }
  (void)hold(0);
}

}  // namespace tare::http::detail
