#include "cli/live_terminal.hpp"

#include "cli/live_screen.hpp"

#include <fmt/format.h>
// Its macros have names such as `move` and `filter`.
#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include <curses.h>

#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cwchar>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tare::cli {
namespace {

using base::result;
using inspect::live_snapshot;
using key = screen_key::kind;

/// ncurses takes the encoding from the locale. If the locale does not say, UTF-8 is assumed.
void choose_encoding() {
  // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread
  if (std::setlocale(LC_CTYPE, "") == nullptr || std::string_view(::nl_langinfo(CODESET)) != "UTF-8") {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  // NOLINTEND(concurrency-mt-unsafe)
}

/// The characters that fit into this many columns: some take two.
std::wstring wide(std::string_view text, int columns) {
  std::wstring all;
  std::mbstate_t state{};
  for (std::size_t index = 0; index < text.size();) {
    wchar_t character = L'?';
    // NOLINTNEXTLINE(concurrency-mt-unsafe): its state is ours
    std::size_t size = std::mbrtowc(&character, text.data() + index, text.size() - index, &state);
    if (size == 0 || size > text.size() - index) {
      character = L'?';
      size = 1;
      state = {};
    }
    index += size;
    const int width = ::wcwidth(character);
    if (width < 0) character = L'?';
    columns -= width < 0 ? 1 : width;
    if (columns < 0) break;
    all += character;
  }
  return all;
}

attr_t attributes(screen_line::look how) {
  switch (how) {
    case screen_line::look::plain:
      return A_NORMAL;
    case screen_line::look::bold:
      return A_BOLD;
    case screen_line::look::dim:
      return A_DIM;
    case screen_line::look::head:
      return A_REVERSE;
    case screen_line::look::selected:
      return A_REVERSE | A_BOLD;
  }
  return A_NORMAL;
}

std::optional<screen_key> function_key(wint_t code) {
  constexpr std::array<std::pair<int, key>, 11> known{{{KEY_UP, key::up},
                                                       {KEY_DOWN, key::down},
                                                       {KEY_LEFT, key::left},
                                                       {KEY_RIGHT, key::right},
                                                       {KEY_PPAGE, key::page_up},
                                                       {KEY_NPAGE, key::page_down},
                                                       {KEY_HOME, key::home},
                                                       {KEY_END, key::end},
                                                       {KEY_ENTER, key::enter},
                                                       {KEY_BACKSPACE, key::backspace},
                                                       {KEY_DC, key::backspace}}};
  const auto* const found = std::ranges::find(known, static_cast<int>(code), &std::pair<int, key>::first);
  if (found == known.end()) return std::nullopt;
  return screen_key{.what = found->second};
}

screen_key character_key(wint_t code) {
  switch (code) {
    case L'\r':
    case L'\n':
      return {.what = key::enter};
    case 0x1B:
      return {.what = key::escape};
    case 0x08:
    case 0x7F:
      return {.what = key::backspace};
    default:
      return {.what = key::character, .character = static_cast<char32_t>(code)};
  }
}

/// Keeps the terminal in ncurses mode while it exists.
class terminal {
 public:
  static result<terminal> open() {
    choose_encoding();
    screen_owner made(::newterm(nullptr, stdout, stdin));
    if (made == nullptr) {
      const char* type = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): there is one thread
      return base::input_error(fmt::format("cannot use this terminal: unknown type '{}'", type == nullptr ? "" : type));
    }
    ::cbreak();
    ::noecho();
    ::nonl();
    ::curs_set(0);
    ::set_escdelay(50);
    ::keypad(stdscr, true);
    ::nodelay(stdscr, true);
    return terminal(std::move(made));
  }

  void draw(const live_screen& screen) const {
    ::erase();
    int row = 0;
    for (const auto& line : screen.lines()) {
      ::attrset(static_cast<int>(attributes(line.how)));
      const std::wstring text = wide(line.text, width());
      ::mvaddnwstr(row++, 0, text.data(), static_cast<int>(text.size()));
    }
    ::attrset(A_NORMAL);
    ::refresh();
  }

  /// Passes all pressed keys to the screen, and its size if that has changed.
  void hear(live_screen& screen) const {
    wint_t code = 0;
    for (int kind = ::get_wch(&code); kind != ERR; kind = ::get_wch(&code)) {
      if (kind != KEY_CODE_YES) {
        screen.press(character_key(code));
      } else if (code == KEY_RESIZE) {
        fit(screen);
      } else if (const auto pressed = function_key(code)) {
        screen.press(*pressed);
      }
    }
  }

  void fit(live_screen& screen) const {
    screen.resize(static_cast<std::size_t>(std::max(::getmaxy(stdscr), 0)), static_cast<std::size_t>(width()));
  }

 private:
  struct closer {
    void operator()(SCREEN* screen) const noexcept {
      ::endwin();
      ::delscreen(screen);
    }
  };
  using screen_owner = std::unique_ptr<SCREEN, closer>;

  explicit terminal(screen_owner screen) : screen_(std::move(screen)) {}
  static int width() { return std::max(::getmaxx(stdscr), 0); }

  screen_owner screen_;
};

/// While it exists, SIGWINCH is delivered only during the wait for keys: a signal just before the wait would be missed.
class held_back_resize {
 public:
  held_back_resize() noexcept {
    sigset_t resize;
    sigemptyset(&resize);
    sigaddset(&resize, SIGWINCH);
    ::pthread_sigmask(SIG_BLOCK, &resize, &before_);
  }
  held_back_resize(const held_back_resize&) = delete;
  held_back_resize& operator=(const held_back_resize&) = delete;
  ~held_back_resize() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  [[nodiscard]] const sigset_t& let_through() const noexcept { return before_; }

 private:
  sigset_t before_{};
};

enum class woken { by_time, by_key, by_signal };

result<woken> wait(const stop_request& stop, const held_back_resize& resize,
                   std::optional<std::chrono::milliseconds> longest) {
  std::array<pollfd, 2> files{{{STDIN_FILENO, POLLIN, 0}, {stop.signal(), POLLIN, 0}}};
  timespec limit{};
  if (longest) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(*longest);
    limit.tv_sec = whole.count();
    limit.tv_nsec = std::chrono::nanoseconds(*longest - whole).count();
  }
  if (::ppoll(files.data(), files.size(), longest ? &limit : nullptr, &resize.let_through()) < 0) {
    // SIGWINCH, which ncurses turns into a key.
    if (errno == EINTR) return woken::by_key;
    return base::system_error("cannot wait for keys", errno);
  }
  // A closed terminal is treated like a signal: no key will ever arrive.
  if (files[1].revents != 0 || (files[0].revents & ~POLLIN) != 0) return woken::by_signal;
  return files[0].revents != 0 ? woken::by_key : woken::by_time;
}

}  // namespace

result<void> watch_live(const std::function<result<live_snapshot>()>& take, std::chrono::milliseconds interval,
                        const stop_request& stop) {
  using clock = std::chrono::steady_clock;
  if (::isatty(STDOUT_FILENO) == 0) return base::input_error("cannot watch: standard output is not a terminal");
  if (::isatty(STDIN_FILENO) == 0) return base::input_error("cannot watch: standard input is not a terminal");
  auto first = take();
  if (!first) return std::unexpected(first.error());
  clock::time_point taken = clock::now();

  const held_back_resize resize;
  const auto opened = terminal::open();
  if (!opened) return std::unexpected(opened.error());
  live_screen screen(interval);
  opened->fit(screen);
  screen.show(std::move(*first));
  while (true) {
    opened->draw(screen);
    std::optional<std::chrono::milliseconds> longest;
    if (!screen.paused()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(taken + screen.interval() - clock::now());
      longest = std::max(left, std::chrono::milliseconds(0));
    }
    const auto why = wait(stop, resize, longest);
    if (!why) return std::unexpected(why.error());
    if (*why == woken::by_signal) return base::interrupted_error();
    opened->hear(screen);
    if (screen.quits()) return {};
    if (!screen.paused() && clock::now() >= taken + screen.interval()) {
      auto next = take();
      if (!next) return std::unexpected(next.error());
      taken = clock::now();
      screen.show(std::move(*next));
    }
  }
}

}  // namespace tare::cli
