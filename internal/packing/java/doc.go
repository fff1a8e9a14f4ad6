// Package java imitates the parts of the Java class library on which the
// original's plans and texts depend: hash codes, the order in which a HashMap
// gives its keys, rounding, and how numbers become text.
//
// It follows what Java 8 to 17 do, which for all of this is the same. It is
// not a general map or formatter: nothing here is for code that has no
// original to agree with.
package java
