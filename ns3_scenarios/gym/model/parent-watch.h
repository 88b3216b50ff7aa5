/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef PARENT_WATCH_H
#define PARENT_WATCH_H

namespace ns3
{

/**
 * End this process when the one that started it is gone, however it died.
 *
 * The parent keeps the write end of a pipe and names the read end in PYAGENT_PARENT_FD; the kernel
 * closes the write end with the parent. Unlike PR_SET_PDEATHSIG this doesn't depend on the thread
 * that started us. Does nothing without the variable, and nothing the second time.
 */
void WatchParent();

} // namespace ns3

#endif // PARENT_WATCH_H
