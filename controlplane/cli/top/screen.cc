#include "controlplane/cli/top/screen.h"

#include <ncurses.h>

#include <clocale>
#include <cstdio>

namespace phalanx::cli {

Screen::Screen() {
  std::setlocale(LC_CTYPE, "");
  initscr();
  cbreak();
  noecho();
  nonl();
  curs_set(0);
}

Screen::~Screen() { endwin(); }

void Screen::show(const std::vector<std::string>& lines, std::size_t marked) {
  erase();
  const int rows = getmaxy(stdscr);
  const int columns = getmaxx(stdscr);
  for (std::size_t i = 0; i < lines.size() && static_cast<int>(i) < rows; ++i) {
    if (i == marked) attron(A_REVERSE);
    mvaddnstr(static_cast<int>(i), 0, lines[i].c_str(), columns);
    if (i == marked) attroff(A_REVERSE);
  }
  refresh();
}

int Screen::key(int patience_ms) {
  timeout(patience_ms);
  const int key = getch();
  return key == ERR || key == KEY_RESIZE ? 0 : key;
}

}  // namespace phalanx::cli
