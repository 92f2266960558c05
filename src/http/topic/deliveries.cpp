// How a lasting connection sends what topics have published.

#include "http/lasting/lasting.hpp"
#include "http/server_core.hpp"
#include "http/topic/topic_core.hpp"
#include "io/reactor.hpp"

#include <tare/http/topic.hpp>

#include <new>
#include <string_view>
#include <utility>

namespace tare::http::detail {

using tare::detail::from_link;
using tare::detail::link;
using tare::detail::no_link;
using tare::detail::to_link;

link lasting::link_of(const event_stream& of) noexcept { return of.connection_; }

lasting::encoding lasting::encoding_of() const noexcept {
  if (of_.is_client_) return encoding::masked;
  if (!of_.is_events_) return of_.compresses_ ? encoding::compressed : encoding::frame;
  return of_.is_chunked_ ? encoding::chunk : encoding::plain;
}

bool lasting::may_send() const noexcept {
  return !of_.close_sent_ && !of_.close_queued_ && !of_.cut_ && !of_.finished_ && !of_.gone_;
}

bool lasting::is_free() const noexcept {
  const lasting_work* const now = work();
  return may_send() && (now == nullptr || (!now->is_sending() && now->message == nullptr));
}

bool lasting::send_shared(published_text text) noexcept {
  of_.cut_ = true;
  const auto written = write_now(text->text);
  if (!written) {
    note_broken();
    return false;
  }
  if (*written == text->text.size()) {
    of_.cut_ = false;
    if (of_.is_events_) set_deadline();
    return true;
  }
  try {
    lasting_work& waits = begin_work();
    waits.pinned = std::move(text);
    waits.pinned_at = *written;
    of_.cut_ = false;
    flush_later();
  } catch (const std::bad_alloc&) {
    note_broken();
  }
  return false;
}

bool lasting::flush_pinned() {
  lasting_work& waits = *work();
  constexpr std::size_t piece_bytes = 64U << 10U;
  const std::string_view left = std::string_view(waits.pinned->text).substr(waits.pinned_at);
  const auto written = write_now(left);
  if (!written) {
    give_up_sending();
    return false;
  }
  const std::size_t before = std::exchange(waits.pinned_at, waits.pinned_at + *written);
  if (waits.pinned_at == waits.pinned->text.size()) {
    waits.pinned.reset();
    return true;
  }
  if (before / piece_bytes != waits.pinned_at / piece_bytes) {
    connection().expires_after(write_timeout(), net::direction::write);
  }
  return false;
}

void lasting::disconnect() noexcept {
  of_.cut_ = true;
  note_stalled();
}

void lasting::note_broken() noexcept {
  of_.cut_ = true;
  if (of_.is_events_) {
    of_.gone_ = true;
    cancel_handler();
  }
}

bool lasting::note_behind(subscription& one) noexcept {
  try {
    link* last = &begin_work().behind;
    while (*last != no_link) last = &from_link<subscription>(*last)->next_behind_;
    one.next_behind_ = no_link;
    *last = to_link(&one);
    return true;
  } catch (const std::bad_alloc&) {
    disconnect();
    return false;
  }
}

void lasting::forget_behind(subscription& one) noexcept {
  for (link* current = &work()->behind; *current != no_link;
       current = &from_link<subscription>(*current)->next_behind_) {
    if (*current != to_link(&one)) continue;
    *current = one.next_behind_;
    break;
  }
  settle();
}

void lasting::go_on() noexcept {
  for (lasting_work* now = work(); now != nullptr && now->behind != no_link && is_free(); now = work()) {
    subscription& next = *from_link<subscription>(now->behind);
    now->behind = next.next_behind_;
    topic_core::of(next).resume(next);
  }
}

}  // namespace tare::http::detail
