#include <tare/await_table.hpp>

#include <tare/abi/await_section.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using tare::await_table;
using tare::suspension_point;
using tare::abi::await_section;

constexpr std::string_view example =
    "tare awaits 1\n"
    "build 0123abcd\n"
    "f /src/server.cpp\n"
    "c 401a30 401c10 401d00 c 100 104 31 1 0 45 serve(int, a b)\n"
    "a 0 s 0 45\n"
    "f /src/loop.hpp\n"
    "a 1 b 1 47\n"
    "a 3 b 0 0\n"
    "a 4 e 0 45\n"
    "c 402000 402100 0 g 48 0 0 0 1 7 only_one()\n"
    "a 0 b 1 9\n"
    "c 403000 0 0 g 48 0 44 2 0 0 nowhere()\n"
    "end\n";

// NOLINTNEXTLINE(performance-no-int-to-ptr): never followed
const void* at(std::uintptr_t address) { return reinterpret_cast<const void*>(address); }

std::string complaint(std::string_view text) {
  const auto read = await_section::read(text);
  return read ? "read" : read.error();
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(example);
  const auto place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  if (place != std::string::npos) text.replace(place, from.size(), to);
  return text;
}

TEST(await_section, is_read) {
  const auto read = await_section::read(example);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->build_id, "0123abcd");
  EXPECT_THAT(read->files, testing::ElementsAre("/src/server.cpp", "/src/loop.hpp"));
  ASSERT_EQ(read->coroutines.size(), 3U);
  const auto& serve = read->coroutines[0];
  EXPECT_EQ(serve.resume, 0x401a30U);
  EXPECT_EQ(serve.destroy, 0x401c10U);
  EXPECT_EQ(serve.cleanup, 0x401d00U);
  EXPECT_EQ(serve.made_by, 'c');
  EXPECT_EQ(serve.frame_bytes, 100U);
  EXPECT_EQ(serve.allocated_bytes, 104U);
  EXPECT_EQ(serve.index_offset, 31U);
  EXPECT_EQ(serve.index_bytes, 1U);
  EXPECT_EQ(serve.line, 45U);
  EXPECT_EQ(serve.name, "serve(int, a b)");
  EXPECT_EQ(serve.places, 4U);
  ASSERT_NE(read->place_at(serve, 1), nullptr);
  EXPECT_EQ(read->place_at(serve, 1)->line, 47U);
  EXPECT_EQ(read->place_at(serve, 2), nullptr);
  EXPECT_EQ(read->place_at(serve, 5), nullptr);
  EXPECT_EQ(read->place_at(read->coroutines[2], 0), nullptr);
}

TEST(await_section, of_any_length_but_the_whole_is_cut_short) {
  for (std::size_t length = 0; length < example.size(); ++length) {
    EXPECT_NE(complaint(example.substr(0, length)), "read") << length;
  }
  EXPECT_EQ(complaint(example.substr(0, example.size() - 1)), "it is truncated");
}

TEST(await_section, another_version_is_not_taken_for_another_format) {
  EXPECT_EQ(complaint(replaced("awaits 1", "awaits 2")), "it is of version 2, but only version 1 is supported");
  EXPECT_EQ(complaint(replaced("awaits 1", "awaits x")), "it is not an await table");
  EXPECT_EQ(complaint("\x7f"
                      "ELF\n"),
            "it is not an await table");
  EXPECT_EQ(complaint(""), "it is not an await table");
}

TEST(await_section, with_a_damaged_line_is_refused) {
  EXPECT_EQ(complaint(replaced("build 0123abcd", "build ")), "its line 2 is damaged");
  EXPECT_EQ(complaint(replaced("c 401a30", "c 401g30")), "its line 4 is damaged");
  EXPECT_EQ(complaint(replaced("c 401a30", "c 11111111111111111")), "its line 4 is damaged") << "more than 64 bits";
  EXPECT_EQ(complaint(replaced("31 1 0 45", "31 3 0 45")), "its line 4 is damaged") << "3 bytes are not a number";
  EXPECT_EQ(complaint(replaced("31 1 0 45", "31 2 0 45")), "its line 4 is damaged") << "not aligned";
  EXPECT_EQ(complaint(replaced("31 1 0 45", "4294967295 1 0 45")), "its line 4 is damaged") << "beyond any frame";
  EXPECT_EQ(complaint(replaced("31 1 0 45", "31 1 1 45")), "its line 4 is damaged") << "no such file yet";
  EXPECT_EQ(complaint(replaced("31 1 0 45", "-1 1 0 45")), "its line 4 is damaged");
  EXPECT_EQ(complaint(replaced(" serve(int, a b)", "")), "its line 4 is damaged") << "no name";
  EXPECT_EQ(complaint(replaced("serve(int", "serve\x1b(int")), "its line 4 is damaged")
      << "a name with control characters";
  EXPECT_EQ(complaint(replaced("/src/server.cpp", "/src\rserver.cpp")), "its line 3 is damaged");
  EXPECT_EQ(complaint(replaced("a 1 b 1 47", "a 1 x 1 47")), "its line 7 is damaged");
  EXPECT_EQ(complaint(replaced("a 1 b 1 47", "a 1 b 1 47 1")), "its line 7 is damaged");
  EXPECT_EQ(complaint(replaced("a 1 b 1 47", "a 0 b 1 47")), "its line 7 is damaged") << "not in order";
  EXPECT_EQ(complaint(replaced("a 1 b 1 47", "")), "its line 7 is damaged");
  EXPECT_EQ(complaint(replaced("f /src/server.cpp", "a 0 s 0 0")), "its line 3 is damaged")
      << "an await without a coroutine";
  EXPECT_EQ(complaint(std::string(example) + "end\n"), "its line 13 is damaged") << "something after the end";
}

TEST(await_table, tells_places) {
  constexpr std::uintptr_t bias = 0x10000;
  await_table table;
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.place(at(0x411a30), 1), std::nullopt);
  ASSERT_TRUE(table.add(std::string(example), "0123abcd", bias));
  EXPECT_EQ(table.coroutines(), 3U);
  const std::string_view serve = "serve(int, a b)";
  EXPECT_EQ(table.place(at(0x411a30), 1),
            (suspension_point{.function = serve, .file = "/src/loop.hpp", .line = 47, .is_await = true}));
  const suspension_point declared{.function = serve, .file = "/src/server.cpp", .line = 45};
  EXPECT_EQ(table.place(at(0x411a30), 0), declared) << "before its body";
  EXPECT_EQ(table.place(at(0x411a30), 2), declared) << "an index that it never has";
  EXPECT_EQ(table.place(at(0x411a30), 3), declared) << "an await without a line";
  EXPECT_EQ(table.place(at(0x411a30)), declared);
  // Without an index, because there is only one place.
  EXPECT_EQ(table.place(at(0x412000)),
            (suspension_point{.function = "only_one()", .file = "/src/loop.hpp", .line = 9, .is_await = true}));
  EXPECT_EQ(table.place(at(0x413000), 2), (suspension_point{.function = "nowhere()", .file = {}}));
  EXPECT_EQ(table.place(at(0x401a30), 1), std::nullopt) << "without the bias";
  EXPECT_EQ(table.place(at(0x411a31), 1), std::nullopt);
  EXPECT_EQ(table.place(nullptr, 1), std::nullopt);
  ASSERT_NE(table.find(at(0x413000)), nullptr);
  EXPECT_EQ(table.find(at(0x413000))->index_offset, 44U);
}

TEST(await_table, has_several_modules) {
  await_table table;
  ASSERT_TRUE(table.add(std::string(example), "0123abcd", 0x10000));
  ASSERT_TRUE(
      table.add("tare awaits 1\nbuild ff\nf /src/lib.cpp\nc 401a30 0 0 c 32 32 0 0 0 3 other()\nend\n", "ff", 0));
  EXPECT_EQ(table.coroutines(), 4U);
  EXPECT_EQ(table.place(at(0x401a30))->function, "other()");
  EXPECT_EQ(table.place(at(0x411a30))->function, "serve(int, a b)");
  // The places stay valid when the table is moved.
  const await_table moved = std::move(table);
  EXPECT_EQ(moved.place(at(0x401a30))->file, "/src/lib.cpp");
}

TEST(await_table, is_the_same_after_a_section_that_cannot_be_used) {
  await_table table;
  const auto of_another_build = table.add(std::string(example), "0123abce", 0);
  ASSERT_FALSE(of_another_build);
  EXPECT_EQ(of_another_build.error(), "it was made for another build");
  ASSERT_FALSE(table.add(std::string(example), "", 0)) << "code without a build id";
  const auto damaged = table.add("junk\n", "", 0);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error(), "it is not an await table");
  EXPECT_TRUE(table.empty());
}

TEST(await_table, names_functions_that_a_linker_made_one_of) {
  await_table table;
  ASSERT_TRUE(
      table.add("tare awaits 1\nbuild ff\nc 40 0 0 c 32 32 0 0 0 0 b()\nc 40 0 0 c 32 32 0 0 0 0 a()\nend\n", "ff", 0));
  EXPECT_EQ(table.coroutines(), 1U);
  EXPECT_EQ(table.place(at(0x40))->function, "a()");
}

}  // namespace
