const fromHelper = 'helper';
class Helper {}
