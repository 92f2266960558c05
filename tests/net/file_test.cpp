#include "net/on_reactors.hpp"
#include "support/temporary_folder.hpp"

#include <array>
#include <filesystem>
#include <string>

namespace {

using namespace tare::testing;
using support::temporary_folder;
using tare::task;
using tare::net::file;

TEST(file, reads_what_was_written) {
  const temporary_folder folder;
  tare::run([](std::string path) -> task<> {
    {
      auto out = (co_await file::open(path, O_WRONLY | O_CREAT | O_TRUNC)).value();
      EXPECT_TRUE(co_await out.write(bytes_of("hello ")));
      EXPECT_TRUE(co_await out.write(bytes_of("world")));
      EXPECT_TRUE(co_await out.write_at(0, bytes_of("J")));
      EXPECT_TRUE(co_await out.sync());
      EXPECT_EQ((co_await out.size()).value(), 11U);
    }
    auto in = (co_await file::open(path, O_RDWR)).value();
    std::array<std::byte, 8> into{};
    EXPECT_EQ((co_await in.read(into)).value(), 8U);
    EXPECT_EQ(text_of(into), "Jello wo");
    EXPECT_EQ((co_await in.read(into)).value(), 3U);
    EXPECT_EQ((co_await in.read(into)).value(), 0U);
    EXPECT_EQ((co_await in.read_at(6, into)).value(), 5U);
    EXPECT_EQ(text_of(std::span(into).first(5)), "world");
    EXPECT_TRUE(co_await in.truncate(5));
    EXPECT_EQ((co_await in.size()).value(), 5U);
  }(folder.path() / "file"));
}

TEST(file, tells_why_it_cannot) {
  const temporary_folder folder;
  tare::run([](std::string path) -> task<> {
    EXPECT_EQ((co_await file::open(path + "/none", O_RDONLY)).error(), std::errc::no_such_file_or_directory);
    file none;
    std::array<std::byte, 1> into{};
    EXPECT_FALSE(none.is_open());
    EXPECT_EQ((co_await none.read(into)).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ((co_await none.write(into)).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ((co_await none.sync()).error(), std::errc::bad_file_descriptor);
    auto full = (co_await file::open("/dev/full", O_WRONLY)).value();
    EXPECT_EQ((co_await full.write(bytes_of("x"))).error(), std::errc::no_space_on_device);
  }(folder.path().string()));
}

}  // namespace
