/* topics.h - explored programs of the topic trie. */
#ifndef TOPICS_H
#define TOPICS_H

extern const int topic_count;
const char *topic_name(int which);
int topic_work(int which, double seconds);

#endif
